/** The hardware model as a library: its ports and parts, and the boards that make a machine of them. */
export * from '../hw/index.js';
export { type Board, loadBoard } from './board.js';
export { BoardError } from './board-error.js';
