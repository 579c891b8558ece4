#!/bin/sh
# Runs all tests of the built test program and ends with the line "N passed, N failed, N skipped".
# Arguments go to the xunit runner: tests/run.sh -namespace Jobs.Tests.Crash
set -u
cd "$(dirname "$0")/.."
log=artifacts/test-output.txt
program=artifacts/bin/jobs-tests/release/jobs-tests
rm -f artifacts/proof.md
# Where it was started in the background, SIGINT is ignored by all that it starts: the tests that send one need it.
heard=
env --default-signal=INT true 2> /dev/null && heard="env --default-signal=INT"

# Many tests wait for time-outs: more of them at once than there are CPUs.
# On the screen: what failed or was skipped, and every 50 tests how far it is. The log has every test.
status=$( { { $heard "$program" -noColor -reporter verbose -maxThreads 2.5x "$@" 2>&1; echo $? >&3; } | tee "$log" | awk '
    /\[FINISHED\]/ { if (++done % 50 == 0) { print done " tests done"; fflush() } next }
    /\[STARTING\]|\[PASS\]/ { next }
    { print; fflush() }' >&2; } 3>&1 )

summary=$(grep -E '^ *jobs-tests  Total:' "$log" | tail -n 1)
count() { echo "$summary" | sed -n "s/.*$1: \([0-9]*\).*/\1/p"; }
total=$(count Total); failed=$(count Failed); errors=$(count Errors); skipped=$(count Skipped); notrun=$(count 'Not Run')
if [ -z "${total:-}" ]; then
    echo "the tests did not run to the end; see $log" >&2
    exit 1
fi
failed=$((failed + errors))
# The end of the output is what is read first: what failed, once more.
if [ "$failed" -gt 0 ]; then
    echo
    awk '/\[(STARTING|FINISHED|PASS|SKIP|NOT RUN)\]/ { on = 0 } /\[(FAIL|ERROR)\]/ { on = 60 } on-- > 0 { print substr($0, 1, 1500) }' "$log"
fi
# What was tried, job by job (tests/jobs-tests/Proof).
if [ -f artifacts/proof.md ]; then
    echo
    cat artifacts/proof.md
    echo
fi
# Names alone, last of all: often a log's last lines are all that is seen. Only the lines in question go to sed, which takes half a minute for all.
grep '\[SKIP\]$' "$log" | sed -nE 's/^ *([^( ]{1,200}).*\[SKIP\]$/\1/p' | sort | uniq -c | sed 's/^ */skipped: /'
grep -E '\[(FAIL|ERROR)\]$' "$log" | sed -nE 's/^ *(.{1,300}).* \[(FAIL|ERROR)\]$/failed: \1/p'
passed=$((total - failed - ${skipped:-0} - ${notrun:-0}))
echo "$passed passed, $failed failed, ${skipped:-0} skipped"
[ "$failed" -eq 0 ] && [ "$status" -eq 0 ] && [ "$passed" -gt 0 ]
