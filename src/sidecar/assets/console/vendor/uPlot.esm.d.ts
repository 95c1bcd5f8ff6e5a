/**
 * Types of a file that is served from the package uplot (console/assets.ts).
 * @module
 */
export { default } from 'uplot';
