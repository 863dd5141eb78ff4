export { connect } from "./connect.js";
export { type ErrorCode, TickwireError } from "./errors.js";
export type * from "./types.js";
