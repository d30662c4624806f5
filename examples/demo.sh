#!/usr/bin/env bash
# The main job, from nothing to an answer: sync, status, query, count, show. In a store of its own, removed afterwards.
set -euo pipefail

bin="$(cd "${1:?usage: demo.sh FOLDER-OF-lmsys-store}" && pwd)"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
export LMSYS_STORE_PATH="$folder/demo.db"

step() {
    printf '\n── %s\n$ lmsys-store' "$1"
    shift
    for word in "$@"; do
        case "$word" in
            *[!a-zA-Z0-9._-]*) printf " '%s'" "$word" ;;
            *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
    "$bin/lmsys-store" "$@"
}

echo "A demonstration in a temporary store ($folder), removed at the end; your own store is not touched."
step "fill a store with the bundled mock seeds (your own: lmsys-store sync PATH)" sync --mock
step "see what it holds" status
step "list German chats of two or more rounds" query --language de --turns 2.. --limit 5
step "count by language" count --by language
step "search the prompts: words, a phrase, a prefix, without a word" query --search 'writ* -poem "for a"' --limit 3
step "read one chat" show mock-0001
step "the same as JSON, for programs" query --language fr --limit 1 --json
echo
echo "Next: .venv/bin/lmsys-store --help, and the README."
