/**
 * The columns of a Parquet file: the leaves of its schema, with the names they can be mapped by.
 *
 * A column inside others is named as in JSON: `user.email`; lists by `[]`, without the two groups that Parquet puts around
 * an element: `user.ids[].value`. Its full path, joined by dots, names it as well.
 * @module
 */
import { FILE_META, REPETITION, SCHEMA_ELEMENT } from './format.js';
import { COLUMNS_MAX, SCHEMA_DEPTH_MAX } from './limits.js';
import { damaged, ParquetError } from './parquet-error.js';
import { countIn, numberIn, structIn, structsIn, type ThriftStruct, textIn } from './thrift.js';

const CONVERTED_LIST = 3;
const LOGICAL = { list: 3, uuid: 14 } as const;

export interface Leaf {
  /** The full path, joined by dots. */
  readonly path: string;
  /** As in JSON. */
  readonly name: string;
  /** One of `TYPE`. */
  readonly type: number;
  /** Bytes of a value of the type `fixed`. */
  readonly typeLength: number;
  readonly isUuid: boolean;
  /** A value may be null by itself, not only with what it is in. */
  readonly isOptional: boolean;
  readonly maxDefinition: number;
  readonly maxRepetition: number;
}

interface Place {
  readonly path: string;
  readonly name: string;
  readonly maxDefinition: number;
  readonly maxRepetition: number;
  /** What is below is an element of a list: its own name is not part of the shown one. */
  readonly list: 'none' | 'repeated' | 'element';
}

/** The leaves of a file, in the order of its columns. @throws {ParquetError} `parquet.damaged`, `parquet.too_large`. */
export function leavesOf(fileMeta: ThriftStruct): readonly Leaf[] {
  const elements = structsIn(fileMeta, FILE_META.schema);
  const leaves: Leaf[] = [];
  let at = 0;
  const walk = (place: Place, depth: number) => {
    const element = elements[at++];
    if (element === undefined) throw damaged('the schema');
    if (depth > SCHEMA_DEPTH_MAX) throw new ParquetError('parquet.too_large', `schema deeper than ${SCHEMA_DEPTH_MAX}`);
    const here = depth === 0 ? place : placeOf(element, place);
    const childCount = numberIn(element, SCHEMA_ELEMENT.childCount) ?? 0;
    if (element.get(SCHEMA_ELEMENT.type) !== undefined) {
      leaves.push(leafOf(element, here));
      if (leaves.length > COLUMNS_MAX) throw new ParquetError('parquet.too_large', `more than ${COLUMNS_MAX} columns`);
      return;
    }
    const below = { ...here, list: listBelow(element, elements[at], childCount, place.list, depth) };
    for (let child = 0; child < childCount; child++) walk(below, depth + 1);
  };
  walk({ path: '', name: '', maxDefinition: 0, maxRepetition: 0, list: 'none' }, 0);
  if (at !== elements.length) throw damaged('the schema');
  return leaves;
}

function placeOf(element: ThriftStruct, { path, name, maxDefinition, maxRepetition, list }: Place): Place {
  const own = textIn(element, SCHEMA_ELEMENT.name);
  const repetition = numberIn(element, SCHEMA_ELEMENT.repetition) ?? REPETITION.required;
  const isRepeated = repetition === REPETITION.repeated;
  const joined = name === '' ? own : `${name}.${own}`;
  let shown = isRepeated ? `${joined}[]` : joined;
  if (list === 'repeated') shown = `${name}[]`;
  if (list === 'element') shown = name;
  return {
    path: path === '' ? own : `${path}.${own}`,
    name: shown,
    maxDefinition: maxDefinition + (repetition === REPETITION.required ? 0 : 1),
    maxRepetition: maxRepetition + (isRepeated ? 1 : 0),
    list: 'none',
  };
}

/** What the children of a group are: a list has one repeated child, and that usually one child of its own. */
function listBelow(
  element: ThriftStruct,
  child: ThriftStruct | undefined,
  childCount: number,
  list: Place['list'],
  depth: number,
): Place['list'] {
  if (depth > 0 && list === 'repeated') return childCount === 1 ? 'element' : 'none';
  const isList =
    numberIn(element, SCHEMA_ELEMENT.convertedType) === CONVERTED_LIST ||
    structIn(element, SCHEMA_ELEMENT.logicalType)?.has(LOGICAL.list) === true;
  const isRepeated = child !== undefined && numberIn(child, SCHEMA_ELEMENT.repetition) === REPETITION.repeated;
  return isList && childCount === 1 && isRepeated ? 'repeated' : 'none';
}

function leafOf(element: ThriftStruct, { path, name, maxDefinition, maxRepetition }: Place): Leaf {
  return {
    path,
    name,
    type: countIn(element, SCHEMA_ELEMENT.type),
    typeLength: numberIn(element, SCHEMA_ELEMENT.typeLength) ?? 0,
    isUuid: structIn(element, SCHEMA_ELEMENT.logicalType)?.has(LOGICAL.uuid) === true,
    isOptional: numberIn(element, SCHEMA_ELEMENT.repetition) === REPETITION.optional,
    maxDefinition,
    maxRepetition,
  };
}
