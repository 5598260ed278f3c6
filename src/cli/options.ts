/** What every command takes. */

/** Options that every command has. */
export interface CommonOptions {
  readonly config?: string;
  readonly color?: boolean;
}
