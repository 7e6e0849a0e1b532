# SPDX-License-Identifier: GPL-2.0
#
# What "lkvm test" writes for others is what they read: by schemas of the formats, and their readers.

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# Results of all kinds, with names and texts that the formats have to quote.
cat > "$work/new.json" <<'END'
{ "version": 1, "lkvm": "x", "tests": [
  { "name": "k1/bzImage: net/tcp <&> \"x\"", "result": "pass", "status": 0, "start": 1790000000123, "ms": 1234,
    "turns": 1, "kernel": "k1/bzImage", "subtests": [ { "name": "suite/one", "result": "pass" },
    { "name": "suite/<two>..", "result": "fail" }, { "name": "\u00e9", "result": "skip" } ] },
  { "name": "k2/bzImage: net/tcp <&> \"x\"", "result": "oops", "status": 0, "ms": 1, "turns": 2, "flaky": true,
    "kernel": "k2/bzImage", "text": "WARNING: <b> \u0001 at \"x\" & y", "logs": "/tmp/<l>" },
  { "name": "skipped", "result": "skip", "ms": 0, "turns": 1, "text": "no tool" },
  { "name": "...", "result": "error", "ms": 0, "turns": 1 },
  { "name": "fails", "result": "fail", "status": 3, "ms": 0, "turns": 1 },
  { "name": "late", "result": "timeout", "ms": 5000, "turns": 1 },
  { "name": "dies", "result": "panic", "ms": 5000, "turns": 1, "text": "Kernel panic - not syncing" } ] }
END
sed 's/"fail"/"pass"/; s/"late"/"other"/' "$work/new.json" > "$work/old.json"
"$LKVM" test --merge --kcidb "$work/kcidb.json" --kcidb-origin ci --html "$work/page.html" --junit "$work/junit.xml" \
	--json "$work/again.json" --baseline "$work/old.json" "$work/new.json" > "$work/out" 2>&1
status=$?

result() {	# result NAME STATUS
	if [ "$2" = 0 ]; then echo "ok - $1"; else sed 's/^/# /' "$work/log"; echo "not ok - $1"; fi
}

cp "$work/out" "$work/log"
[ $status = 1 ]; result results_are_put_together $?

if command -v jsonschema >/dev/null; then
	jsonschema -i "$work/kcidb.json" tests/lib/kcidb.schema.json > "$work/log" 2>&1
	result kcidb_takes_the_results $?
else
	echo "ok - kcidb_takes_the_results # SKIP there is no jsonschema"
fi
# Each result is there, and no two have the same ID.
python3 - "$work/kcidb.json" > "$work/log" 2>&1 <<'END'
import json, sys
tests = json.load(open(sys.argv[1]))["tests"]
assert len(tests) == 10 and len({t["id"] for t in tests}) == 10, tests
by = {(t["build_id"], t["path"]): t["status"] for t in tests}
assert by["ci:k1/bzImage", "net.tcp______x_"] == "PASS", by
assert by["ci:k1/bzImage", "net.tcp______x_.suite._two_"] == "FAIL", by
assert by["ci:k2/bzImage", "net.tcp______x_"] == "FAIL", by
assert by["ci:default", "_"] == "MISS", by
END
result kcidb_has_each_result_once $?

if command -v xmllint >/dev/null; then
	xmllint --noout --schema tests/lib/junit.xsd "$work/junit.xml" > "$work/log" 2>&1
	result junit_is_what_its_readers_take $?
	xmllint --noout "$work/page.html" > "$work/log" 2>&1
	result the_page_is_well_formed $?
	# A row has as many cells as the head; the page asks nobody for anything.
	[ "$(xmllint --xpath 'count(//tr[1]/th) * count(//tr[td])' "$work/page.html")" = "$(xmllint --xpath 'count(//td)' "$work/page.html")" ] &&
		! grep -q 'src=\|href=\|@import\|url(' "$work/page.html" && grep -q 'new failure' "$work/page.html" &&
		grep -q 'Gone: other' "$work/page.html"
	result the_page_is_whole $?
	# Nothing has changed, and nothing is gone.
	"$LKVM" test --merge --html "$work/same.html" --baseline "$work/new.json" "$work/new.json" > "$work/out" 2>&1
	xmllint --noout "$work/same.html" > "$work/log" 2>&1 && ! grep -q Gone "$work/same.html"
	result a_page_without_changes_is_well_formed $?
else
	for name in junit_is_what_its_readers_take the_page_is_well_formed the_page_is_whole a_page_without_changes_is_well_formed; do
		echo "ok - $name # SKIP there is no xmllint"
	done
fi

# What was written is read again, and comes to the same.
"$LKVM" test --merge --json "$work/twice.json" "$work/again.json" > "$work/log" 2>&1
cmp "$work/again.json" "$work/twice.json" >> "$work/log" 2>&1
result results_are_read_again $?

"$LKVM" test --merge --kcidb "$work/none" --kcidb-origin "My CI" "$work/new.json" > "$work/log" 2>&1
[ $? = 125 ] && grep -q 'only the characters' "$work/log" && [ ! -e "$work/none" ]
result an_origin_is_checked_first $?
