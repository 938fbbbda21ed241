import time
from pydoc_data.topics import topics
from schema.contracts.common import ObjectRef
from schema.store import documents
from schema.store.documents import NewPassage, ReadDocument
from activities.documents.extract import extract
from activities.documents.passages import split_passages
from tests.integration.test_corpus_search import Agent
async def test_m(db, objects, org):
    base=[]
    for k,v in topics.items():
        d=extract(v.encode(),k,'text/plain')
        base+= [(s,d.text[s.start:s.end]) for s in split_passages(d.text,d.headings,title=d.title)]
    t=time.time()
    for n in range(25):
        ref=ObjectRef(key=f"{org.id}/x/{n}",sha256=f"{n:064x}",size_bytes=1)
        async with db.transaction(org.id) as s:
            doc,_=await documents.create_document(s,org.id,name=str(n),mime_type="text/plain",object=ref)
            ps=[];p=0
            for i in range(2000):
                sp,tx=base[(n*2000+i)%len(base)]; ps.append(NewPassage(p,p+len(tx),sp.heading,tx)); p+=len(tx)
            await documents.mark_ready(s,org.id,doc.id,ReadDocument("T","text/plain",ref,p,None,None,None),ps)
    print("insert 50k",time.time()-t)
    a=Agent(db,objects,org.id)
    for q in ("operator precedence","context manager __exit__ exception","What does the context manager's exit method do with an exception raised inside of the with statement body in Python?","object"):
        ts=[]
        for _ in range(4):
            t=time.time(); await a.call("corpus.search",query=q); ts.append(time.time()-t)
        t=time.time()
        async with db.transaction(org.id) as s:
            terms=await documents.query_terms(s,org.id,q)
            await documents.search_passages(s,org.id,{l:1.0 for l,_ in terms})
        print(q, [round(x*1000) for x in ts], "sql",round((time.time()-t)*1000))
