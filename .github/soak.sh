#!/usr/bin/env bash
# One soak as the workflows run it: run, verify, report. All choices come by the environment, so that nothing of them
# is ever part of a command's text. Exits with the soak's own code, or with that of the verification.
#
#   SOAK_RUN_ID          name of the run (needed)           SOAK_ITERATIONS   how many (6)
#   SOAK_HOURS           spread them over so long (3)       SOAK_AUTO_TUNE    true or false (true)
#   SOAK_KPI_SET         limits to hold (production)        SOAK_PROFILE      (steady_safe)
#   SOAK_ITERATION_TIMEOUT_SECONDS (1200)                   SOAK_VALIDATION_TIMEOUT_SECONDS (900)
#   SOAK_HEARTBEAT_SECONDS  a line at least so often, for runners that end a silent step (300)
#   SOAK_SLEEP_SECONDS   time between two starts, in place of SOAK_HOURS
#   MM_RUNTIME_OVERRIDES_JSON  values that lie above the profile
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PYTHONUTF8=1

iterations=${SOAK_ITERATIONS:-6}
words=(
  --run-id "$SOAK_RUN_ID" --workload mock --profile "${SOAK_PROFILE:-steady_safe}"
  --kpi-set "${SOAK_KPI_SET:-production}" --iterations "$iterations"
  --timeout "${SOAK_ITERATION_TIMEOUT_SECONDS:-1200}"
)
if [ -z "${SOAK_SLEEP_SECONDS:-}" ]; then
  words+=(--sleep "$(awk -v hours="${SOAK_HOURS:-3}" -v count="$iterations" 'BEGIN { print int(hours * 3600 / count) }')")
fi
if [ "${SOAK_AUTO_TUNE:-true}" = true ]; then
  words+=(--auto-tune)
fi
if [ -z "${MM_RUNTIME_OVERRIDES_JSON:-}" ]; then
  unset MM_RUNTIME_OVERRIDES_JSON
fi

beat() {
  trap 'kill "$!"; exit' TERM # the sleep would keep the step's output open
  while sleep "${SOAK_HEARTBEAT_SECONDS:-300}" & wait "$!"; do echo "soak $SOAK_RUN_ID goes on"; done
}
beat &
heartbeat=$!
trap 'kill "$heartbeat" 2>/dev/null || true' EXIT

code=0
causal soak run "${words[@]}" || code=$?
if [ -f "artifacts/soak/$SOAK_RUN_ID/journal.jsonl" ]; then
  timeout "${SOAK_VALIDATION_TIMEOUT_SECONDS:-900}" causal soak verify "$SOAK_RUN_ID" || { [ "$code" -ne 0 ] || code=1; }
  causal soak report "$SOAK_RUN_ID"
  if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
    causal soak report "$SOAK_RUN_ID" --markdown >> "$GITHUB_STEP_SUMMARY"
  fi
fi
exit "$code"
