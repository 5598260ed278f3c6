/** The item that is being read. */
import type { Place } from '../../core/diagnostic.js';
import type { Item, ItemStatus, Mention } from '../../core/item.js';
import { PartText } from './part-text.js';
import type { ListPart, Part } from './parts.js';

/** An empty list; every item without links shares it. */
export const NO_MENTIONS: readonly Mention[] = [];

/** Collects the parts of one item after the other. */
export class Draft {
  /** False between items. */
  open = false;
  id = '';
  /** The part that the next line of text belongs to. */
  part: Part = 'id';
  /** Text came after the list that is being read. */
  closed = false;
  status: ItemStatus = 'approved';
  /** Set of the labels that were read, as bits. */
  labels = 0;
  /** Of this item or, between items, of the last: neighbours mostly share it. */
  type = '';
  private name = '';
  private revision = 0;
  private place: Place | undefined = undefined;
  private title: string | undefined = undefined;
  private titlePlace: Place | undefined = undefined;
  private readonly description = new PartText();
  private readonly rationale = new PartText();
  private readonly comment = new PartText();
  private covers: Mention[] | undefined = undefined;
  private depends: Mention[] | undefined = undefined;
  private needs: Mention[] | undefined = undefined;
  private tags: Mention[] | undefined = undefined;

  begin(
    id: string,
    type: string,
    name: string,
    revision: number,
    place: Place,
    title: string | undefined,
    titlePlace: Place | undefined,
  ): void {
    this.open = true;
    this.id = id;
    this.type = type;
    this.name = name;
    this.revision = revision;
    this.place = place;
    this.title = title;
    this.titlePlace = titlePlace;
    this.part = 'id';
    this.closed = false;
    this.status = 'approved';
    this.labels = 0;
  }

  /** The text of the open part; undefined if a list is open, or nothing. */
  get text(): PartText | undefined {
    if (!this.open) return undefined;
    if (this.part === 'description') return this.description;
    if (this.part === 'rationale') return this.rationale;
    return this.part === 'comment' ? this.comment : undefined;
  }

  mention(part: ListPart, mention: Mention): void {
    const list = this[part];
    if (list) list.push(mention);
    else this[part] = [mention];
  }

  /** The finished item. */
  finish(source: string, normalise: boolean): Item {
    this.open = false;
    const descriptionPlace = this.description.place;
    const rationalePlace = this.rationale.place;
    const commentPlace = this.comment.place;
    const item: Item = {
      id: this.id,
      type: this.type,
      name: this.name,
      revision: this.revision,
      place: this.place!,
      title: this.title,
      titlePlace: this.titlePlace,
      description: this.description.take(source, normalise),
      descriptionPlace,
      rationale: this.rationale.take(source, normalise),
      rationalePlace,
      comment: this.comment.take(source, normalise),
      commentPlace,
      status: this.status,
      covers: this.covers ?? NO_MENTIONS,
      depends: this.depends ?? NO_MENTIONS,
      needs: this.needs ?? NO_MENTIONS,
      tags: this.tags ?? NO_MENTIONS,
      forwards: false,
    };
    this.covers = undefined;
    this.depends = undefined;
    this.needs = undefined;
    this.tags = undefined;
    return item;
  }
}
