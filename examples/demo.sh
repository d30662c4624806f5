#!/usr/bin/env bash
# The main job, from nothing to an answer: stream, kill, go on, select through the chain, read offline.
# In stores of its own, removed afterwards. With HF_TOKEN set it streams real rows, else generated ones from this machine.
set -euo pipefail

bin="$(cd "${1:?usage: demo.sh FOLDER-OF-lmsys-store}" && pwd)"
cd "$(dirname "$0")/.."
folder="$(mktemp -d)"
server=""
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$folder"
}
trap cleanup EXIT
export LMSYS_STORE_PATH="$folder/demo.db"

say() { printf '\n── %s\n' "$1"; }
shown() {
    printf '$ lmsys-store'
    for word in "$@"; do
        case "$word" in
            *[!a-zA-Z0-9._-]*) printf " '%s'" "$word" ;;
            *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
}
run() { shown "$@"; "$bin/lmsys-store" "$@"; }

if [ -n "${HF_TOKEN:-}" ]; then
    echo "HF_TOKEN is set: real rows of lmsys/lmsys-chat-1m, streamed from the dataset viewer."
else
    echo "No HF_TOKEN: a stand-in of the dataset viewer on this machine serves generated rows (data set demo/generated)."
    "$bin/python" -m tests.standin --rows 2000 --dataset demo/generated --page-seconds 0.4 --open >"$folder/urls" &
    server=$!
    for _ in $(seq 100); do [ -s "$folder/urls" ] && break; sleep 0.1; done
    url() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" "$folder/urls"; }
    LMSYS_STORE_VIEWER_URL="$(url url)" HF_ENDPOINT="$(url hub_url)"
    export LMSYS_STORE_VIEWER_URL HF_ENDPOINT LMSYS_STORE_DATASET=demo/generated
fi
echo "Everything happens in temporary stores ($folder), removed at the end; your own store is not touched."

say "stream 1,500 rows page by page into a store; kill -9 after some pages"
shown sync --limit 1500
"$bin/lmsys-store" sync --limit 1500 2>/dev/null &
sync=$!
for _ in $(seq 200); do
    kill -0 "$sync" 2>/dev/null || break
    held="$("$bin/lmsys-store" status --json 2>/dev/null | sed -n 's/.*"rows": \([0-9]*\).*/\1/p')"
    [ "${held:-0}" -lt 300 ] || break
done
kill -9 "$sync" 2>/dev/null || true
wait "$sync" 2>/dev/null || true
say "what was committed is there, and known to be a part"
run status
say "run the same again: it goes on where it was, page for page"
run sync --limit 1500
say "read what is held: chats of two or more rounds, as a table"
run query --turns 2.. --limit 5 --fallback cache
say "a cold store, no sync: the query goes to the remote, and what comes is kept"
run query --language German --limit 3 --store "$folder/cold.db"
say "the same query again, with the network switched off"
HF_HUB_OFFLINE=1 run query --language German --limit 3 --store "$folder/cold.db"
say "count, search (words, a phrase, a prefix, without a word), and read one chat"
run count --by language --fallback cache
run query --search 'river* -poem' --limit 3 --fallback cache
run show 0
echo
echo "Next: .venv/bin/lmsys-store --help, and the README."
