/**
 * Import this in a test that starts processes: they are then what they are outside of a test. tap adds a loader to every
 * process that a test starts, which makes each start slow, catches signals, and maps positions.
 */
import processOnSpawn from 'process-on-spawn';

processOnSpawn.removeAllListeners();
