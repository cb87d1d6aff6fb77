#!/usr/bin/env bash
# The check of action.yml: the inputs are variables, the exit code is that of `dovetail check`.
set -euo pipefail
set -f # what stands between blanks is an option, not a pattern of file names

work=${RUNNER_TEMP:-$(mktemp -d)}
summary=$work/dovetail-summary.md
read -r -d '' -a options <<<"$OPTIONS" || true
read -r -d '' -a check <<<"$BUDGETS" || true

compile() {
  if [ -z "$TARGET" ]; then
    echo "::error title=Dovetail::input 'target' is empty; a model is compiled for a target, give its name"
    exit 2
  fi
  dovetail compile "$1" -t "$TARGET" -o "$2" ${options[@]+"${options[@]}"}
}

if [ -n "$MODEL" ]; then compile "$MODEL" "$PLAN"; fi
baseline=$BASELINE
if [ -f "$baseline" ]; then
  baseline=$work/dovetail-baseline.plan
  compile "$BASELINE" "$baseline"
fi

if [ -n "$TARGET" ]; then check+=(--target "$TARGET"); fi
if [ -n "$baseline" ]; then check+=(--baseline "$baseline"); fi
status=0
dovetail check "$PLAN" ${check[@]+"${check[@]}"} ${JUNIT:+--junit "$JUNIT"} --format github || status=$?
if [ "$status" -gt 1 ]; then exit "$status"; fi

{
  # a name of backticks that wraps would end the block, and what follows be Markdown
  printf '```text\n'
  { dovetail check "$PLAN" ${check[@]+"${check[@]}"} || true; } | tr '`' "'"
  printf '```\n\n'
  # one of both: a comment has room for 65,536 characters, and each may need them
  if [ -n "$baseline" ]; then
    dovetail diff "$baseline" "$PLAN" --format markdown
  else
    dovetail inspect "$PLAN" --format markdown
  fi
} >"$summary"
cat "$summary" >>"$GITHUB_STEP_SUMMARY"
printf 'plan=%s\nsummary=%s\n' "$PLAN" "$summary" >>"$GITHUB_OUTPUT"
exit "$status"
