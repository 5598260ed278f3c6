/**
 * The command line. It alone reads the process's arguments, environment and terminal, and decides the exit status.
 *
 * Where checks will be run, a lane is forked before the program itself is loaded: a lane's start is most of what a run of
 * few checks takes, and all that follows here happens meanwhile.
 */
const [command = 'matrix', ...words] = process.argv.slice(2);
// A guess before anything is judged: the program decides what the words mean and whether it takes the lane.
const runsChecks =
  ['matrix', 'verify', 'show', 'why'].includes(command) && !words.some((word) => word === '-h' || word === '--help');
const ahead = runsChecks ? await import('./lane-ahead.js') : undefined;
ahead?.forkLaneAhead(words);

const [{ runToEnd }, { runProgram }] = await Promise.all([import('./session.js'), import('./program.js')]);
await runToEnd(runProgram);
ahead?.disposeLaneAhead();
