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

write_log() { # RUN PARAMS, at most 256 records a message
    jq -c --argjson run "$1" '[range(.count // 0)] | _nwise(256)
        | {Log: {run: $run, records: map({level: "Info", message: "line \(.)"})}}' <<<"$2" >&3
}

welcome() { # a line with a Welcome
    jq -e '.Welcome.protocol == 1' <<<"$1" >/dev/null || exit 71
    log=$(jq '.Welcome.features | index("log") != null' <<<"$1")
    say '{"Ready":{"workflows":["echo","fail","log","conformance.echo","conformance.fail","conformance.log"]}}'
}

fields_of() { # a line with a message: its fields as they were written, a line each, because jq would round numbers
    grep -oE '"([^"\\]|\\.)*"|[][{},:]|[^][{},:"[:space:]]+' <<<"$1" | awk '
        BEGIN { ORS = "" }
        depth == 2 && found && ($0 == "," || $0 == "}") { print "\n"; found = 0 }
        found { print }
        /^[[{]$/ { depth++ }
        /^[]}]$/ { depth-- }
        depth == 2 && !found && $0 == ":" { print last " "; found = 1 }
        { last = $0 }'
}

execute() { # a line with an Execute
    local run name params=null key value
    while read -r key value; do
        case $key in
            '"run"') run=$value ;;
            '"workflow"') name=$value ;;
            '"params"') params=$value ;;
        esac
    done < <(fields_of "$1")
    case $name in
        '"echo"' | '"conformance.echo"')
            say "{\"Started\":{\"run\":$run}}"
            finished "$run" "{\"Succeeded\":{\"result\":$params}}" 0
            ;;
        '"fail"' | '"conformance.fail"')
            say "{\"Started\":{\"run\":$run}}"
            finished "$run" "$(jq -c '{Failed: {error: {kind, message}}}' <<<"$params")" 0
            ;;
        '"log"' | '"conformance.log"')
            say "{\"Started\":{\"run\":$run}}"
            $log && write_log "$run" "$params"
            finished "$run" '{"Succeeded":{}}' "$($log && jq '.count // 0' <<<"$params" || echo 0)"
            ;;
        *)
            finished "$run" "$(jq -nc --argjson name "$name" '{Rejected: {reason: "no workflow named \($name)"}}')" 0
            ;;
    esac
}

say '{"Hello":{"protocol_min":1,"protocol_max":1,"implementation":"lines.sh","language":"bash","pid":'$$',"features":["log","drain"]}}'
while IFS= read -r line; do
    case $line in
        '{"Welcome":'*) welcome "$line" ;;
        '{"Execute":'*) execute "$line" ;;
        '{"Drain":'*) say '{"Goodbye":{"reason":"drained"}}' && exit 0 ;;
        *) ;; # a later message, or one of a feature this worker does not have
    esac
done
