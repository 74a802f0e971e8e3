#!/usr/bin/env bash
# systemd's system call group for services, @system-service, holds neither Landlock nor seccomp.
#
# Expected: the group that the manual recommends as the start for most services lets a service take rights from
#   itself and its children. Those calls need no privilege and can only take away, so no group would leave them out.
# Seen: landlock_create_ruleset, landlock_add_rule, landlock_restrict_self and seccomp are in no group but @known.
#   prctl is in @process: the old way to set a filter goes through, the new one does not.
# Why it matters for a supervisor: under `SystemCallFilter=@system-service` with `SystemCallErrorNumber=EPERM`, as
#   hardening guides have it, a supervisor that confines its workers by Landlock finds it "not permitted". One that
#   then goes on without is less confined for being hardened. Name the four calls beside the group.
# Versions: systemd 252.38-1~deb12u1 (Debian 12).
# Source: systemd, src/shared/seccomp-util.c, syscall_filter_sets.
# Output seen:
#   @system-service: landlock_create_ruleset no, landlock_add_rule no, landlock_restrict_self no, seccomp no, prctl yes
#   groups with landlock_restrict_self: @known
#   groups with seccomp: @known
set -euo pipefail

for tool in apt-get dpkg-deb; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for package in systemd=252.38-1~deb12u1 libsystemd-shared=252.38-1~deb12u1; do
    apt-get download "$package" >/dev/null 2>&1 || { echo "cannot run: $package could not be fetched"; exit 2; }
done
for file in ./*.deb; do dpkg-deb -x "$file" root; done
library=$(dirname "$(find "$PWD/root" -name 'libsystemd-shared-*.so')")
analyze() { LD_LIBRARY_PATH=$library root/usr/bin/systemd-analyze syscall-filter "$@" 2>/dev/null || true; }
groups() { analyze | grep '^@'; }

# A group names calls and other groups.
expand() {
    local line
    while read -r line; do
        case $line in
            @*) if [ "$line" != "$1" ]; then expand "$line"; fi ;;
            [a-z_]*) echo "$line" ;;
        esac
    done < <(analyze "$1" | sed 's/^ *//')
}
within=$(expand @system-service)
answer() { if grep -qx "$1" <<<"$within"; then echo "$1 yes"; else echo "$1 no"; fi; }
of() {
    local group
    for group in $(groups); do
        if analyze "$group" | grep -qx " *$1"; then printf ' %s' "$group"; fi
    done
}

seen="@system-service: $(answer landlock_create_ruleset), $(answer landlock_add_rule), $(answer landlock_restrict_self), \
$(answer seccomp), $(answer prctl)
groups with landlock_restrict_self:$(of landlock_restrict_self)
groups with seccomp:$(of seccomp)"
echo "$seen"

expected='@system-service: landlock_create_ruleset no, landlock_add_rule no, landlock_restrict_self no, seccomp no, prctl yes
groups with landlock_restrict_self: @known
groups with seccomp: @known'
[ "$seen" = "$expected" ] || { echo "it has changed"; exit 1; }
