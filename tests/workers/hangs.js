// Does not come back while it is loaded.
import { workflow } from "muster-worker";

workflow("never", () => null);

for (;;);
