"""What to tell whoever started a stack whose sandbox is too weak: what is refused, what to install or allow. Pure."""

from infra.sandbox.levels import CODE_LEVEL_MIN, Level

_HELP = {
    Level.LANDLOCK: "Run it on Linux 5.13 or newer (x86-64 or arm64) whose kernel has Landlock (`landlock` in "
    "/sys/kernel/security/lsm), and in a container as an ordinary user; or install bubblewrap (`apt-get install "
    "bubblewrap`) and allow user namespaces.",
    Level.BUBBLEWRAP: "Install bubblewrap (`apt-get install bubblewrap`) and allow user namespaces (sysctl "
    "user.max_user_namespaces above 0; on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0).",
    Level.GVISOR: "Run the worker in a pod with gVisor's runtime (deploy/kubernetes/).",
}


def shortfall(proved: Level, minimum: Level, *, code_execution: bool) -> list[str]:
    """Return what to tell, as lines; none where the machine proves what is asked for.

    Args:
        proved: what the worker proved when it started.
        minimum: `SWISSBRAIN_SANDBOX_LEVEL_MIN`.
        code_execution: `SWISSBRAIN_CODE_EXECUTION`.
    """
    refused = []
    if proved < minimum:
        refused.append("no file and no page is read: documents wait, and are given up with a dead letter")
    if code_execution and proved < CODE_LEVEL_MIN:
        refused.append("no code is run (python.run)")
    if not refused:
        return []
    wanted = max(minimum, CODE_LEVEL_MIN) if code_execution else minimum
    setting = "SWISSBRAIN_SANDBOX_LEVEL_MIN" if proved < minimum else "SWISSBRAIN_CODE_EXECUTION"
    return [
        f"WARNING: this machine's sandbox proves only {proved.label!r}, and {setting} needs {wanted.label!r}.",
        f"  Meanwhile  {'; '.join(refused)}.",
        f"  To do      {_HELP[wanted]} Then start again. See docs/sandbox.md.",
    ]
