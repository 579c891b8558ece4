#!/bin/sh
# Where the time of the last run of the tests went: seconds and cases by subject, and the slowest classes. Tests run side by side, so the
# sum is longer than the run.
cd "$(dirname "$0")/.." || exit 1
log=artifacts/test-output.txt
[ -f "$log" ] || { echo "there is no $log yet: run make test first" >&2; exit 1; }
sum() {
    sed -nE 's/^ *Jobs\.Tests\.([^( ]+).*\[FINISHED\] Time: ([0-9.]+)s$/\1 \2/p' "$log" | awk -v depth="$1" '
        { n = split($1, part, "."); to = part[1] == "Proof" ? depth + 1 : depth; name = part[1]
          for (i = 2; i <= to && i < n; i++) name = name "." part[i]
          seconds[name] += $2; cases[name]++ }
        END { for (name in seconds) printf "%8.1f s %6d  %s\n", seconds[name], cases[name], name }' | sort -rn
}
echo "by subject:"
sum 1
echo "the slowest classes:"
sum 2 | head -20
