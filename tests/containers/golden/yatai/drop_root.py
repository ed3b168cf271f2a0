# Become the owner of the mounted home, or `bentoml` if that is root; then run what was asked for.
import os
import pwd
import sys

home = os.environ["BENTOML_HOME"]
if os.getuid() == 0:
    owner = os.stat(home)
    uid, gid = owner.st_uid, owner.st_gid
    if uid == 0:
        account = pwd.getpwnam("bentoml")
        uid, gid = account.pw_uid, account.pw_gid
        os.chown(home, uid, gid)
        for directory, folders, files in os.walk(home):
            for name in (*folders, *files):
                os.chown(os.path.join(directory, name), uid, gid, follow_symlinks=False)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    os.environ["HOME"] = home
if not os.access(home, os.W_OK | os.X_OK):
    sys.exit(f"{home} cannot be written by user {os.getuid()}; give it to that user, or run as its owner")
os.execvp(sys.argv[1], sys.argv[1:])
