// The buttons of a row.
import { offer } from "./access.js";
import { make, set } from "./dom.js";
import { act } from "./page.js";

/** A column of buttons: `[name, action(row), { needs, shown(row), danger }]`. The name may depend on the row. */
export function actions(buttons, nameOf) {
  return {
    said: "actions", kind: "actions",
    make: now => {
      const made = buttons.map(([name, action, { needs, shown, danger } = {}]) => {
        const button = make("button", { class: danger ? "small danger" : "small", type: "button", "data-needs": needs });
        button.onclick = () => act(button, () => action(now()));
        button.update = row => {
          const word = typeof name === "function" ? name(row) : name;
          set(button, word);
          button.hidden = shown ? !shown(row) : false;
          button.setAttribute("aria-label", `${word} ${nameOf(row)}`);
          offer(button);
        };
        return button;
      });
      const whole = make("span", {}, made);
      whole.update = row => { for (const button of made) button.update(row); };
      return whole;
    },
  };
}
