// Never ends by itself, and does not even look up: what timeouts and cancels are for.
//
//   worker run forever --timeout 1
//
// The interpreter is stopped from outside, so the worker stays healthy and takes the next execution at once. Code that
// can stop by itself looks at `ctx.signal.aborted`, or waits with `ctx.sleep`, which fails when it is time to go.
export default function () {
  for (let turns = 0; ; turns++) {
    // Round and round.
  }
}
