#!/usr/bin/env bash
# A whole worker in bash and jq: lines of JSON on stdin and stdout, prints to stderr. See protocol/SPEC.md.
# It runs `echo`, `fail` and `log`, and offers the conformance workflows of those names.
set -u

exec 3>&1 1>&2 # messages go to descriptor 3; whatever prints to stdout lands in the log

say() { printf '%s\n' "$1" >&3; }

finished() { # RUN OUTCOME LOG_RECORDS
    say "{\"Finished\":{\"run\":$1,\"outcome\":$2,\"log_records\":$3}}"
    say "{\"Idle\":{\"run\":$1}}"
}

execute() { # the fields of an Execute
    local run name params
    run=$(jq .run <<<"$1")
    name=$(jq -r .workflow <<<"$1")
    params=$(jq -c .params <<<"$1")
    case $name in
        echo | conformance.echo)
            say "{\"Started\":{\"run\":$run}}"
            finished "$run" "{\"Succeeded\":{\"result\":$params}}" 0
            ;;
        fail | conformance.fail)
            say "{\"Started\":{\"run\":$run}}"
            finished "$run" "$(jq -c '{Failed: {error: {kind, message}}}' <<<"$params")" 0
            ;;
        log | conformance.log)
            say "{\"Started\":{\"run\":$run}}"
            # At most 256 records a message.
            jq -c --argjson run "$run" '[range(.count // 0)] | _nwise(256)
                | {Log: {run: $run, records: map({level: "Info", message: "line \(.)"})}}' <<<"$params" >&3
            finished "$run" '{"Succeeded":{}}' "$(jq '.count // 0' <<<"$params")"
            ;;
        *)
            finished "$run" "$(jq -nc --arg name "$name" '{Rejected: {reason: "no workflow named \($name)"}}')" 0
            ;;
    esac
}

say '{"Hello":{"protocol_min":1,"protocol_max":1,"implementation":"lines.sh","language":"bash","pid":'$$',"features":["log","drain"]}}'
while IFS= read -r line; do
    case $line in
        '{"Welcome":'*) say '{"Ready":{"workflows":["echo","fail","log","conformance.echo","conformance.fail","conformance.log"]}}' ;;
        '{"Execute":'*) execute "$(jq -c .Execute <<<"$line")" ;;
        '{"Drain":'*) say '{"Goodbye":{"reason":"drained"}}' && exit 0 ;;
        *) ;; # a later message, or one of a feature this worker does not have
    esac
done
