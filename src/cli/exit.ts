/** Exit statuses: whose fault it was. When several apply, 70 beats 2 beats 3 beats 1. */
export const EXIT = {
  met: 0,
  notMet: 1,
  usage: 2,
  input: 3,
  internal: 70,
  output: 74,
  interrupted: 130,
  terminated: 143,
} as const;

/** An exit status of a run that came to its end by itself. */
export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/** A mistake in how the program was called or configured, or in what it was given. Ends the run with its status. */
export class CommandError extends Error {
  readonly code: string;
  readonly status: ExitStatus;
  readonly hint: string | undefined;
  /**
   * @param code stable, for scripts that look at stderr
   * @param message what was found and what was expected
   * @param hint what to do
   */
  constructor(code: string, message: string, hint?: string, status: ExitStatus = EXIT.usage) {
    super(message);
    this.name = 'CommandError';
    this.code = code;
    this.status = status;
    this.hint = hint;
  }
}
