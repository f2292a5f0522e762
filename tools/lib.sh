# What tools/demo, tools/test and tools/check share: installing what is missing, configuring and
# building. Sourced, not run; it leaves the caller in the project's folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PYTHONDONTWRITEBYTECODE=1
PATH=$PATH:/usr/sbin:/sbin  # mkfs.vfat, where the user is not root

packages_build=(
  g++ meson ninja-build pkg-config python3
  libboost1.81-dev libboost-test1.81-dev
  libcli11-dev libfmt-dev nlohmann-json3-dev libtomlplusplus-dev libsgutils2-dev
  libusb-1.0-0-dev)
# What tests compare our work with: a skipped comparison proves nothing.
packages_test=(libbenchmark-dev clang-format strace tshark sg3-utils parallel rsync openssh-client
  e2fsprogs dosfstools mtools usbutils usbip fio libiscsi-bin)
packages_demo=(dosfstools mtools)
packages_fuzz=(clang libclang-rt-14-dev)
packages_check=(clang-format clang-tidy)

say() { printf '%s\n' "$*"; }
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Installs those of the named Debian packages that are missing; without any it needs no network and
# no privileges. Where there is no apt, whatever is missing shows when Meson looks for it.
install_packages() {
  local package missing=() sudo=()
  command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || return 0
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] ||
      missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "Installing what is missing: ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "run this as root, or install yourself: ${missing[*]}"
    sudo=(sudo)
  fi
  local apt=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=240)
  local log
  log=$(mktemp)
  if ! { "${apt[@]}" update &&
    "${apt[@]}" install -y --no-install-recommends --no-remove "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    die "apt-get could not install: ${missing[*]}"
  fi
  rm -f "$log"
}

# configure <build dir> [meson option...]: sets the directory up, or brings its options up to date.
# Everything comes from the system; nothing is downloaded.
configure() {
  local dir=$1 options="${CXX:-} ${*:2}" setup=(meson setup --wrap-mode=nofallback)
  [ -f "$dir/build.ninja" ] && [ "$(cat "$dir/options" 2>/dev/null)" = "$options" ] && return
  rm -rf "$dir"
  mkdir -p "$dir"
  if ! "${setup[@]}" "$@" >"$dir/setup.log" 2>&1; then
    tail -n 20 "$dir/setup.log" >&2
    die "meson setup $dir failed"
  fi
  printf '%s\n' "$options" >"$dir/options"
}

# build <build dir> [target...]
build() { ninja -C "$1" "${@:2}"; }
