// @ts-check
// Makes a release:
//
//     npm run release -- --set 1.2.3    writes the version into all packages and into CHANGELOG.md
//     npm run release                   builds and packs what is committed, into dist/fanfare-VERSION
//
// CONTRIBUTING.md has all steps of a release.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './prepare.mjs';

/** The parts of the repository that an operator needs beside the packages. */
const companions = ['deploy', 'docs', 'CHANGELOG.md', 'LICENSE', 'PROTOCOL.md', 'README.md', 'SECURITY.md'];

/** @typedef {Record<string, string>} Dependencies */
/**
 * @typedef {{
 *   name: string, version: string, license?: string, engines?: Dependencies, workspaces?: string[],
 *   dependencies?: Dependencies, devDependencies?: Dependencies, link?: boolean,
 * }} Manifest
 */
/** @typedef {{ name: string, version: string, packages: Record<string, Manifest> }} Lock */
/** @typedef {{ serialNumber: string, metadata: { timestamp: string, component: { name: string } } }} Sbom */

/** @param {string} folder */
const manifestPath = (folder) => join(root, folder, 'package.json');

/** @param {string} folder */
const manifestOf = (folder) =>
  /** @type {Manifest} */ (JSON.parse(readFileSync(manifestPath(folder), 'utf8')));

const ourLock = () => /** @type {Lock} */ (JSON.parse(readFileSync(`${root}package-lock.json`, 'utf8')));

/** The folders with a package, with '' for the workspace itself. */
const folders = () => ['', ...(manifestOf('').workspaces ?? [])];

/** @param {string} path @param {unknown} value */
const writeJson = (path, value) => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);

/** @param {string} path */
const sha256 = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');

/**
 * Runs a program. If it fails, this program ends too, with what the other has printed.
 *
 * @param {string} cwd @param {string} command @param {string[]} args
 * @returns {string} what it printed
 */
function run(cwd, command, ...args) {
  const { status, stdout, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1e9,
  });
  if (status !== 0)
    refuse(`${stdout ?? ''}\n${command} ${args.join(' ')} failed${error ? `: ${error.message}` : ''}.`);
  return stdout;
}

/** @param {string} reason @returns {never} */
function refuse(reason) {
  console.error(reason);
  process.exit(1);
}

/**
 * Writes a version into all packages and the lock file. In the changelog, the section "Unreleased" becomes
 * the section of the version.
 *
 * @param {string} version
 */
function setVersion(version) {
  if (!/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version)) refuse(`Not a version: '${version}'. Write it as 1.2.3.`);
  const changelog = readFileSync(`${root}CHANGELOG.md`, 'utf8');
  if (hasSection(changelog, version)) refuse(`CHANGELOG.md has a section for ${version} already.`);
  if (!/^## Unreleased\n\n(?!## )\S/m.test(changelog))
    refuse('CHANGELOG.md has nothing under "## Unreleased".');
  const today = new Date().toISOString().slice(0, 10);
  const title = `## Unreleased\n\n## ${version} - ${today}\n`;
  writeFileSync(`${root}CHANGELOG.md`, changelog.replace('## Unreleased\n', title));
  const manifests = folders().map((folder) => ({ path: manifestPath(folder), manifest: manifestOf(folder) }));
  const ours = new Set(manifests.map(({ manifest }) => manifest.name));
  for (const { path, manifest } of manifests) {
    stamp(manifest, version, ours);
    writeJson(path, manifest);
  }
  const lock = ourLock();
  lock.version = version;
  for (const folder of folders()) {
    const entry = lock.packages[folder];
    if (entry) stamp(entry, version, ours);
  }
  writeJson(`${root}package-lock.json`, lock);
  console.log(`All packages and CHANGELOG.md have the version ${version}. Read them, and commit them.`);
}

/** @param {Manifest} manifest @param {string} version @param {Set<string>} ours */
function stamp(manifest, version, ours) {
  manifest.version = version;
  for (const dependencies of [manifest.dependencies, manifest.devDependencies])
    for (const name of Object.keys(dependencies ?? {}))
      if (dependencies && ours.has(name)) dependencies[name] = version;
}

/** @param {string} changelog @param {string} version */
const hasSection = (changelog, version) =>
  changelog.split('\n').some((line) => line === `## ${version}` || line.startsWith(`## ${version} - `));

/**
 * Checks that a release can be made, and lists everything that is in the way.
 *
 * @returns {string} the version
 */
function checkedVersion() {
  const { version, name: workspace } = manifestOf('');
  const changes = run(root, 'git', 'status', '--porcelain').trim();
  const problems =
    changes === '' ? [] : [`There are uncommitted changes. Commit or remove them:\n${changes}`];
  const manifests = folders().map(manifestOf);
  const ours = new Set(manifests.map(({ name }) => name));
  for (const { name, version: own, dependencies = {}, devDependencies = {} } of manifests) {
    if (own !== version)
      problems.push(
        `${name} has the version ${own}, and ${workspace} ${version}. Set one: npm run release -- --set VERSION`,
      );
    for (const [needed, wanted] of Object.entries({ ...dependencies, ...devDependencies }))
      if (ours.has(needed) && wanted !== version)
        problems.push(
          `${name} depends on ${needed} ${wanted}, not ${version}. Set one version: npm run release -- --set VERSION`,
        );
  }
  if (!hasSection(readFileSync(`${root}CHANGELOG.md`, 'utf8'), version))
    problems.push(
      `CHANGELOG.md has no section for ${version}. Begin the release with: npm run release -- --set VERSION`,
    );
  if (problems.length > 0) refuse(problems.join('\n'));
  return version;
}

/** @param {string} version */
function release(version) {
  const target = `${root}dist/fanfare-${version}`;
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  run(root, 'npm', 'run', 'build');
  const packages = folders().filter((folder) => folder.startsWith('packages/'));
  const workspaces = packages.map((folder) => `--workspace=${folder}`);
  const said = run(root, 'npm', 'pack', '--json', `--pack-destination=${target}`, ...workspaces);
  const packed = /** @type {{ name: string, filename: string }[]} */ (JSON.parse(said));
  for (const path of run(root, 'git', 'ls-files', ...companions)
    .trim()
    .split('\n')) {
    cpSync(root + path, join(target, path));
  }
  writeProject(target, version, Object.fromEntries(packed.map(({ name, filename }) => [name, filename])));
  writeSbom(target);
  const sums = filesOf(target).map((path) => `${sha256(join(target, path))}  ${path}\n`);
  writeFileSync(join(target, 'SHA256SUMS'), sums.join(''));
  console.log(`Made ${target}`);
}

/**
 * Writes a project that has the packed packages as its dependencies. Its lock file has our versions of all
 * other packages, so that `npm ci` installs what we have tested.
 *
 * @param {string} target
 * @param {string} version
 * @param {Dependencies} packed - names of packages, and their archives
 */
function writeProject(target, version, packed) {
  const dependencies = Object.fromEntries(
    Object.entries(packed).map(([name, file]) => [name, `file:${file}`]),
  );
  const { license, engines } = manifestOf('');
  const project = { name: 'fanfare-release', private: true, version, license, engines, dependencies };
  const lock = ourLock();
  const others = Object.entries(lock.packages).filter(
    ([path, { link }]) => path.startsWith('node_modules/') && link !== true,
  );
  writeJson(join(target, 'package.json'), project);
  writeJson(join(target, 'package-lock.json'), {
    ...lock,
    name: project.name,
    version,
    packages: { '': project, ...Object.fromEntries(others) },
  });
  // npm adds the packed packages to the lock file, and removes what they do not need.
  run(target, 'npm', 'install', '--package-lock-only', '--ignore-scripts', '--no-audit', '--no-fund');
  // Fails if the lock file is not complete.
  run(target, 'npm', 'ci', '--dry-run', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund');
}

/**
 * Writes the software bill of materials, in the format CycloneDX. npm puts a random number, the present time
 * and the path of this folder into it. They are replaced, so that the same commit makes the same file.
 *
 * @param {string} target
 */
function writeSbom(target) {
  const text = run(target, 'npm', 'sbom', '--sbom-format=cyclonedx', '--omit=dev', '--package-lock-only');
  const sbom = /** @type {Sbom} */ (JSON.parse(text.replaceAll(`file:${target}/`, 'file:')));
  sbom.metadata.component.name = 'fanfare';
  sbom.metadata.timestamp = run(root, 'git', 'log', '-1', '--format=%cI').trim();
  const digest = sha256(join(target, 'package-lock.json'));
  // A UUID of version 8 (RFC 9562): its bits are our own.
  const parts = [
    digest.slice(0, 8),
    digest.slice(8, 12),
    `8${digest.slice(12, 15)}`,
    `8${digest.slice(15, 18)}`,
  ];
  sbom.serialNumber = `urn:uuid:${parts.join('-')}-${digest.slice(18, 30)}`;
  writeJson(join(target, 'sbom.cdx.json'), sbom);
}

/** @param {string} folder @returns {string[]} sorted */
const filesOf = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();

const { values } = parseArgs({ options: { set: { type: 'string' } } });
if (!existsSync(`${root}.git`)) refuse('A release needs the repository of git.');
if (values.set === undefined) release(checkedVersion());
else setVersion(values.set);
