"""Ties a process to the one that starts it, then becomes the program asked for. Run as a script, never imported.

`python leash.py PARENT_PID SIGNAL UID:GID PROGRAM ARGUMENTS...`: when the parent dies, however it dies, the kernel
sends SIGNAL to the program, so that nothing embedded outlives its supervisor. It is a program of its own because a
supervisor with threads must not run Python between fork and exec. Where the kernel offers no such thing (anything but
Linux), the program runs untied and the next start ends what was left over.

The account (`-` for none) changes here and not where the process is made: the lent account need not be able to reach
this Python. It changes first, because a change of account would cut the tie.
"""

import os
import sys

if sys.platform == "linux":
    import ctypes  # before the account changes: the lent one may not be able to read this Python's files

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, signal_number, account, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:]
    if account != "-":
        uid, gid = (int(part) for part in account.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
        # The parent may have died before the tie was made; then the kernel will never tell.
        if os.getppid() != parent:
            sys.exit(1)
    try:
        os.execv(command[0], command)  # noqa: S606 - the supervisor chose the program
    except OSError as error:
        sys.exit(f"{command[0]} cannot be run: {error.strerror}")


if __name__ == "__main__":
    main()
