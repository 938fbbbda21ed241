"""Files that the tests of documents read."""

HTML_PAGE = """<!doctype html><html lang="en"><head><title>Gallium | Metals</title>
<meta name="author" content="Jane Doe"><meta property="article:published_time" content="2024-03-05T10:00:00Z">
<style>p { color: red }</style></head><body><nav><ul><li><a href="/">Navigation</a></li></ul></nav>
<div class="cookie-banner">Cookie settings</div>
<main><article><h1>Gallium</h1>
<p>Gallium is a soft metal, written <code>__Ga__</code> here &amp; there. It was found in 1875 by spectroscopy, and its
discoverer named it after the Latin name of France. It does not occur as a free element in nature.</p>
<h2>Melting</h2>
<p>Its melting point lies a little above room temperature, so that it melts in the hand. It is <b>liquid</b> over one of
the widest ranges of all metals, and it expands when it freezes, as water does.</p>
<pre><code>def melt(metal):
    return metal.liquid
</code></pre>
<ul><li>first item</li><li>second item</li></ul>
<table><tr><th>element</th><th>point</th></tr><tr><td>Ga</td><td>29.76</td></tr></table>
<p>Gallium arsenide is used in electronics: in microwave circuits, in switching circuits, and in infrared circuits.</p>
</article></main><script>alert("x")</script><footer>Footer</footer></body></html>"""


def pdf(pages: list[str], *, encrypted: bool = False) -> bytes:
    """Make a PDF by hand: one line of text per page."""
    objects: list[bytes] = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    kids = []
    for text in pages:
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode() if text else b""
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R"
            b" /Resources << /Font << /F1 3 0 R >> >> >>" % len(objects)
        )
        kids.append(len(objects))
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(b"%d 0 R" % kid for kid in kids))
    objects.append(b"<< /Title (A test) /Author (Jane Doe) /CreationDate (D:20240131120000Z) >>")
    trailer = b"/Root 1 0 R /Info %d 0 R" % len(objects)
    if encrypted:
        objects.append(b"<< /Filter /Standard /V 1 /R 2 /P -44 /O <%s> /U <%s> >>" % (b"28BF4E5E" * 8, b"AB12CD34" * 8))
        trailer += b" /Encrypt %d 0 R /ID [<00> <00>]" % len(objects)
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start)
    return bytes(out)
