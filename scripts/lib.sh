# SPDX-License-Identifier: GPL-2.0
#
# What several scripts share: where the tree and the cache are, which kernel is used, how a step is announced.
# Sourced, never run. Nothing here changes the machine.

# A make that a script starts is nobody's child: it has its own jobs.
unset MAKEFLAGS MFLAGS MAKELEVEL

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/nacre
BUILD=$ROOT/build

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# The kernel that guests boot and the module is built for: KERNEL=stock (default), fast, debug or newest. The stock one is
# Debian's: scripts/setup leaves $CACHE/linux pointing to the unpacked packages of one version, with boot/, lib/modules/
# and usr/src/ as Debian lays them out. The others come from scripts/kernel when the cache has none: fast and debug are
# built by us, newest is Debian's newest in a root directory of its own. host is the one that runs here: nothing boots it,
# the module is built for it (make run HOST=1).
KERNEL=${KERNEL:-stock}

kernel_dir() {
	if [ "$KERNEL" != stock ]; then
		"$ROOT/scripts/kernel" "$KERNEL"
		return
	fi
	[ -L "$CACHE/linux" ] || die "no kernel in $CACHE: run scripts/setup"
	readlink -f "$CACHE/linux"
}
kernel_release() {
	case $KERNEL in
	host) uname -r ;;
	*) cat "$(kernel_dir)/release" ;;
	esac
}
kernel_image() {
	case $KERNEL in
	stock) echo "$(kernel_dir)/boot/vmlinuz-$(kernel_release)" ;;
	*) echo "$(kernel_dir)/vmlinuz" ;;
	esac
}
kernel_headers() {
	case $KERNEL in
	stock) echo "$(kernel_dir)/usr/src/linux-headers-$(kernel_release)" ;;
	host) echo "/lib/modules/$(uname -r)/build" ;;
	# as seen from inside its root directory
	newest) echo "/usr/src/linux-headers-$(kernel_release)" ;;
	*) echo "$(kernel_dir)/tree" ;;
	esac
}
# The make that builds modules for this kernel; what was compiled before in a clone that stood here is not again.
kernel_make() {
	case $KERNEL in
	newest) "$ROOT/scripts/kernel-newest" --run make "$@" ;;
	*)
		if command -v ccache > /dev/null; then
			export CCACHE_DIR=${CCACHE_DIR:-$CACHE/ccache} CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-2G}
			set -- "$@" CC="ccache gcc"
		fi
		make "$@" ;;
	esac
}
# Where modules for this kernel are built.
module_dir() {
	case $KERNEL in
	stock) echo "$BUILD" ;;
	*) echo "$BUILD/kernel-$KERNEL" ;;
	esac
}
