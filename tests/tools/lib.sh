# SPDX-License-Identifier: GPL-2.0
#
# What the checks in this folder share. Sourced with the script's own arguments: a folder to work in, which then stays.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
passed=0 failed=0
if [ $# -gt 0 ]; then
	WORK=$(realpath -m "$1")
	mkdir -p "$WORK"
else
	WORK=$(mktemp -d)
	trap 'rm -rf "$WORK"' EXIT
fi

# check WHAT COMMAND...: its output is shown only if it fails
check() {
	local what=$1
	shift
	if "$@" > "$WORK/check.log" 2>&1; then
		passed=$((passed + 1))
		echo "  ok    $what"
	else
		failed=$((failed + 1))
		tail -n 20 "$WORK/check.log" | sed 's/^/        /'
		echo "  FAIL  $what"
	fi
}
finish() {
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ]
	exit
}
