# Installs the Debian packages named as arguments, with no service of theirs left running.
# The stack starts servers of its own; the machine's would only take ports and memory.
set -eu
guard=/usr/sbin/policy-rc.d
if [ ! -e "$guard" ]; then
    trap 'rm -f "$guard"' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' > "$guard"
    chmod 755 "$guard"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -o DPkg::Lock::Timeout=300 update
apt-get -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends "$@"
if command -v systemctl > /dev/null; then
    for package in "$@"; do
        systemctl disable --quiet "$package.service" || true
    done
fi
