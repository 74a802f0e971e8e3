"""A worker that passes JSON on as text: echo returns its parameters, second too but fails at first, parent submits them."""

import os
import sys


def send(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def between(line, before, after):
    start = line.index(before) + len(before)
    return line[start : line.index(after, start)]


def finish(run, outcome):
    send('{"Finished":{"run":%s,"outcome":%s}}' % (run, outcome))


send('{"Hello":{"protocol_min":1,"protocol_max":1,"implementation":"text","pid":%d,"features":["call"]}}' % os.getpid())
for line in sys.stdin:
    if line.startswith('{"Welcome"'):
        send('{"Ready":{}}')
    elif line.startswith('{"Execute"'):
        run = between(line, '"run":', ",")
        workflow = between(line, '"workflow":"', '"')
        params = between(line, '"params":', ',"context":')
        send('{"Started":{"run":%s}}' % run)
        if workflow == "second" and between(line, '"attempt":', ",") == "1":
            finish(run, '{"Failed":{"error":{"kind":"NotYet","message":"the second attempt returns"}}}')
        elif workflow == "parent":
            asked = '{"workflow":"echo","params":%s}' % params
            send('{"Call":{"run":%s,"call":1,"method":"execution.submit","params":%s}}' % (run, asked))
            reply = sys.stdin.readline()
            finish(run, '{"Succeeded":{"result":%s}}' % reply[reply.index('"result":') + 9 : reply.rindex("}}")])
        else:
            finish(run, '{"Succeeded":{"result":%s}}' % params)
        send('{"Idle":{"run":%s}}' % run)
