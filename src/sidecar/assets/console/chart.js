/**
 * Charts over time, drawn by uPlot, each with a sentence that says the same and a table of its numbers.
 *
 * A chart is one picture to a screen reader, named by its sentence; keyboards get to the table instead.
 * @module
 */

import { emptyNote, h } from './dom.js';
import { moment, number } from './format.js';
import uPlot from './vendor/uPlot.esm.js';

/**
 * @typedef {object} Series
 * @property {string} label
 * @property {readonly (number | null)[]} values
 * @property {string} color Name of a custom property, such as `--accent`.
 * @property {'line' | 'bars' | 'points'} [kind] Default: line.
 * @property {boolean} [isDashed]
 */
/**
 * @typedef {object} ChartOptions
 * @property {readonly number[]} times ms since 1970.
 * @property {readonly Series[]} series In the order of the legend. Bars are stacked, the first at the bottom.
 * @property {string} summary
 * @property {(value: number | null) => string} [format]
 * @property {boolean} [isByDay]
 * @property {string} emptyText
 */

const HEIGHT = 176;
/** Rows of a table of numbers: of longer series the last. */
const ROWS_MAX = 60;

export class Chart {
  /** @type {uPlot | null} */
  #plot = null;
  /** @type {ChartOptions | null} */
  #options = null;
  #place = h('div', { class: 'plot' });
  #figure = h('figure', { class: 'chart' });
  #legend = h('ul', { class: 'legend' });
  #caption = h('figcaption', {});
  #numbers = h('details', {});
  #note = h('div', {});

  constructor() {
    this.#numbers.append(h('summary', {}, 'Numbers'));
    this.#numbers.addEventListener('toggle', () => this.#fillNumbers());
    this.#place.setAttribute('role', 'img');
    this.#figure.append(this.#caption, this.#legend, this.#note, this.#place, this.#numbers);
    new ResizeObserver(() => this.#resize()).observe(this.#place);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw(true));
  }

  get element() {
    return this.#figure;
  }

  /** @param {ChartOptions} options */
  set(options) {
    const isAlike = this.#options !== null && labels(this.#options) === labels(options);
    this.#options = options;
    const isEmpty = options.times.length === 0;
    this.#place.hidden = isEmpty;
    this.#numbers.hidden = isEmpty;
    this.#legend.hidden = isEmpty;
    this.#caption.textContent = isEmpty ? '' : options.summary;
    this.#place.setAttribute('aria-label', options.summary);
    this.#note.replaceChildren(...(isEmpty ? [emptyNote(options.emptyText)] : []));
    if (isEmpty) return;
    if (!isAlike) this.#drawLegend(options);
    this.#draw(!isAlike);
    this.#fillNumbers();
  }

  /** @param {ChartOptions} options */
  #drawLegend({ series }) {
    const item = (/** @type {Series} */ { label, color, isDashed }) =>
      h('li', {}, h('span', { class: `swatch ${color.slice(2)}${isDashed ? ' dashed' : ''}` }), label);
    this.#legend.replaceChildren(...(series.length > 1 ? series.map(item) : []));
  }

  /** @param {boolean} isNew */
  #draw(isNew) {
    const options = this.#options;
    if (options === null || options.times.length === 0) return;
    const data = dataOf(options);
    if (!isNew && this.#plot !== null) {
      this.#plot.setData(data);
      return;
    }
    this.#plot?.destroy();
    const width = this.#place.clientWidth || 320;
    this.#plot = new uPlot(plotOptions(options, width), data, this.#place);
  }

  #resize() {
    const width = this.#place.clientWidth;
    if (this.#plot === null || width === 0 || width === this.#plot.width) return;
    this.#plot.setSize({ width, height: HEIGHT });
  }

  #fillNumbers() {
    const options = this.#options;
    if (options === null || !this.#numbers.open) return;
    const { times, series, format = number, isByDay = false } = options;
    const from = Math.max(0, times.length - ROWS_MAX);
    const head = h('tr', {}, h('th', { scope: 'col' }, isByDay ? 'Day' : 'Time (UTC)'));
    for (const { label } of series) head.append(h('th', { scope: 'col', class: 'figure' }, label));
    const rows = times.slice(from).map((at, index) => {
      const when = isByDay ? moment(at).slice(0, 10) : moment(at).slice(5, 19);
      const row = h('tr', {}, h('th', { scope: 'row' }, when));
      for (const { values } of series) row.append(h('td', { class: 'figure' }, format(values[from + index] ?? null)));
      return row;
    });
    const region = { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Numbers of the chart' };
    const table = h('table', {}, h('thead', {}, head), h('tbody', {}, rows.reverse()));
    this.#numbers.querySelector('.scroll')?.remove();
    this.#numbers.append(h('div', region, table));
  }
}

/** @param {ChartOptions} options */
function labels({ series }) {
  return series.map(({ label }) => label).join('\n');
}

/** Seconds, then the series as uPlot draws them: of bars the tallest stack first. @param {ChartOptions} options */
function dataOf({ times, series }) {
  const isStacked = series[0]?.kind === 'bars';
  const columns = isStacked ? stacked(series).reverse() : series.map(({ values }) => [...values]);
  return /** @type {uPlot.AlignedData} */ ([times.map((ms) => ms / 1000), ...columns]);
}

/** @param {readonly Series[]} series */
function stacked(series) {
  /** @type {number[]} */
  let below = [];
  return series.map(({ values }) => {
    below = values.map((value, index) => (value ?? 0) + (below[index] ?? 0));
    return below;
  });
}

/** @param {ChartOptions} options @param {number} width @returns {uPlot.Options} */
function plotOptions({ series, format = number, isByDay = false }, width) {
  const style = getComputedStyle(document.documentElement);
  const color = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  const isStacked = series[0]?.kind === 'bars';
  const drawn = isStacked ? [...series].reverse() : series;
  const axis = {
    stroke: color('--muted'),
    font: `11px ${style.fontFamily}`,
    grid: { stroke: color('--line'), width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 8, 0, 0],
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
    scales: {
      x: { time: true, ...(isStacked ? { range: barRange } : {}) },
      y: { range: (_plot, _min, max) => [0, max <= 0 ? 1 : max * 1.1] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: 64,
        size: 26,
        values: (_plot, ticks, _axis, _space, step) => ticks.map((at) => tickText(at, isByDay, step)),
      },
      { ...axis, size: 56, space: 34, values: (_plot, ticks) => ticks.map((value) => format(value)) },
    ],
    series: [{}, ...drawn.map((one) => seriesOptions(one, color(one.color)))],
  };
}

/** @param {Series} one @param {string} color @returns {uPlot.Series} */
function seriesOptions({ label, kind = 'line', isDashed = false }, color) {
  const bars = uPlot.paths.bars?.({ size: [0.7, 28], align: 0 });
  switch (kind) {
    case 'bars':
      return { label, fill: color, stroke: color, width: 0, points: { show: false }, ...(bars ? { paths: bars } : {}) };
    case 'points':
      return { label, paths: () => null, points: { show: true, size: 5, fill: color, stroke: color } };
    default:
      return {
        label,
        stroke: color,
        width: 1.75,
        spanGaps: true,
        points: { show: false },
        dash: isDashed ? [4, 3] : [],
      };
  }
}

/** Room for half a bar at both ends. @param {uPlot} plot @param {number} min @param {number} max @returns {[number, number]} */
function barRange(plot, min, max) {
  const half = (max - min) / Math.max(1, (plot.data[0]?.length ?? 1) - 1) / 2;
  return [min - half, max + half];
}

/** @param {number} seconds @param {boolean} isByDay @param {number} step Seconds from one to the next. */
function tickText(seconds, isByDay, step) {
  const text = moment(seconds * 1000);
  if (isByDay) return text.slice(5, 10);
  return step < 60 ? text.slice(11) : text.slice(11, 16);
}
