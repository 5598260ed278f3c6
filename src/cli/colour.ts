/** Whether to colour: the command line decides, reporters only take what they are given. */

/** What the decision rests on. */
export interface ColourInput {
  /** `--color` true, `--no-color` false, neither undefined. */
  readonly flag: boolean | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether the output goes to a terminal. */
  readonly terminal: boolean;
}

/**
 * Level of colour: 0 none, 1 the sixteen colours of a terminal. The flag beats `FORCE_COLOR`, which beats `NO_COLOR`
 * (any value that is not empty, https://no-color.org), which beats the terminal.
 */
export function colourLevel({ flag, env, terminal }: ColourInput): 0 | 1 {
  if (flag !== undefined) return flag ? 1 : 0;
  const forced = env.FORCE_COLOR;
  if (forced !== undefined) return forced === '0' || forced === 'false' ? 0 : 1;
  if (env.NO_COLOR) return 0;
  return terminal && env.TERM !== 'dumb' ? 1 : 0;
}
