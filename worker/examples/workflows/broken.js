// Fails, and shows what a useful error looks like: a name of its own, what went wrong with which input, and the cause.
//
//   worker run broken --params '{"invoice": "{\"total\": oops}"}'
//
// The class's name becomes the execution's error_type; the stack has file and line of the error and of its cause.
// `retryable = false` says that another attempt would fail alike.
class InvoiceError extends Error {
  constructor(message, options) {
    super(message, options);
    this.retryable = false;
  }
}

export default async function ({ invoice = '{"number": 17, "total": oops}' }, ctx) {
  ctx.log.info("reading the invoice", { characters: invoice.length });
  return parseInvoice(invoice);
}

function parseInvoice(text) {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InvoiceError(`the invoice is not JSON: ${text.slice(0, 40)}`, { cause });
  }
}
