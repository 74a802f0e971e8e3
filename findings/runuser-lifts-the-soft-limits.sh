#!/usr/bin/env bash
# `runuser` and `su` take back every soft limit that their caller had set, with no limit configured anywhere.
#
# Expected: a launcher that changes the user passes resource limits on as it was given them, as setpriv and gosu do.
#   runuser and su go through PAM, whose pam_limits sets what /etc/security/limits.conf says; that file has no line in
#   force, so nothing changes.
# Seen: soft limits for address space, data, processor time, file size and stack are back at "unlimited" or at the
#   kernel's value, open files at 1024 be the caller's limit lower or higher. Hard limits stay as they were. Debian's
#   pam_limits starts from the kernel's values and not from those that the process has; its manual speaks of such a
#   reset only for the option set_all, which is not set. Nothing is printed and nothing fails.
# Why it matters for a supervisor: one that limits a worker by soft limits (`ulimit -S`, a setrlimit that leaves the
#   hard value alone so that it can be raised later, systemd's LimitCPU=60:infinity) and starts it as another user in
#   this way has no limit on it at all. One that had raised its open files to 20000 has workers with 1024. Limits that
#   must hold are set hard as well, or after the change of user: setpriv keeps both.
# Versions: runuser and setpriv of util-linux 2.38.1-5+deb12u3, libpam-modules 1.5.2-6+deb12u1 (Debian 12), Linux 6.18.
# Source: Debian's pam, debian/patches/027_pam_limits_better_init_allow_explicit_root, on pam_limits.c (init_limits);
#   /etc/pam.d/runuser and /etc/pam.d/su have the module.
# Output seen:
#   lines in force in limits.conf: 0
#   soft, alone: address space 4294967296, processor time 60, file size 1048576, open files 256
#   soft, setpriv: address space 4294967296, processor time 60, file size 1048576, open files 256
#   soft, runuser: address space unlimited, processor time unlimited, file size unlimited, open files 1024
#   soft, su: address space unlimited, processor time unlimited, file size unlimited, open files 1024
#   soft and hard, runuser: address space 4294967296, processor time 60, file size 1048576, open files 256
set -euo pipefail

for tool in runuser su setpriv python3; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
[ "$(id -u)" = 0 ] || { echo "cannot run: runuser wants to be started by root"; exit 2; }
grep -qs '^ID=debian' /etc/os-release || { echo "cannot run: this is about Debian's pam_limits"; exit 2; }
for service in runuser su; do
    grep -qs '^session.*pam_limits' "/etc/pam.d/$service" || { echo "cannot run: $service has no pam_limits"; exit 2; }
done
dpkg-query --show --showformat '${Package} ${Version}\n' util-linux libpam-modules
lines=$(cat /etc/security/limits.conf /etc/security/limits.d/*.conf 2>/dev/null |
    grep -cv '^[[:space:]]*\(#\|$\)' || true)
[ "$lines" = 0 ] || { echo "cannot run: limits are configured here"; exit 2; }

seen="lines in force in limits.conf: $lines
$(python3 - <<'PYTHON'
import resource
import subprocess

LIMITS = {"address space": ("AS", 4 << 30), "processor time": ("CPU", 60), "file size": ("FSIZE", 1 << 20),
          "open files": ("NOFILE", 256)}
ROWS = {"Max address space": "address space", "Max cpu time": "processor time", "Max file size": "file size",
        "Max open files": "open files"}

def look(what, command, hard=False):
    def limit():
        for name, value in LIMITS.values():
            kind = getattr(resource, f"RLIMIT_{name}")
            resource.setrlimit(kind, (value, value if hard else resource.getrlimit(kind)[1]))

    text = subprocess.run(command, preexec_fn=limit, stdout=subprocess.PIPE, text=True, timeout=30).stdout
    soft = {ROWS[line[:26].strip()]: line[26:].split()[0] for line in text.splitlines() if line[:26].strip() in ROWS}
    print(f"soft{' and hard' if hard else ''}, {what}:", ", ".join(f"{name} {soft.get(name)}" for name in LIMITS))

program = ["cat", "/proc/self/limits"]
look("alone", program)
look("setpriv", ["setpriv", "--reuid", "nobody", "--clear-groups", *program])
look("runuser", ["runuser", "-u", "nobody", "--", *program])
look("su", ["su", "-s", "/bin/sh", "-c", " ".join(program), "nobody"])
look("runuser", ["runuser", "-u", "nobody", "--", *program], hard=True)
PYTHON
)"
echo "$seen"

expected='lines in force in limits.conf: 0
soft, alone: address space 4294967296, processor time 60, file size 1048576, open files 256
soft, setpriv: address space 4294967296, processor time 60, file size 1048576, open files 256
soft, runuser: address space unlimited, processor time unlimited, file size unlimited, open files 1024
soft, su: address space unlimited, processor time unlimited, file size unlimited, open files 1024
soft and hard, runuser: address space 4294967296, processor time 60, file size 1048576, open files 256'
[ "$seen" = "$expected" ] || { echo "changed: runuser or su treats soft limits otherwise"; exit 1; }
echo "as stated"
