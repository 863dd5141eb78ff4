/** The part of a long list that is looked at.  All rows are of one height, so no measuring library is needed. */

export interface Stretch {
  readonly first: number;
  /** One after the last. */
  readonly end: number;
}

/** Rows drawn above and below what is seen, so that a flick of the wheel meets no blank. */
export const MARGIN = 6;

export function stretch(top: number, height: number, row: number, rows: number): Stretch {
  const first = Math.max(0, Math.min(rows, Math.floor(top / row) - MARGIN));
  const end = Math.max(first, Math.min(rows, Math.ceil((top + height) / row) + MARGIN));
  return { first, end };
}

/** Where to scroll so that row *index* is seen: no further than needed.  *cover*: height of what lies over the top. */
export function revealed(index: number, top: number, height: number, row: number, cover: number): number {
  const above = index * row;
  const below = above + row + cover - height;
  return Math.max(0, above < top ? above : Math.max(below, top));
}
