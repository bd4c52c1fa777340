import { createRequire } from 'node:module';
import { join } from 'node:path';

/**
 * The parts of TypeScript's interface that are used here. The newer compiler of this project does not have
 * it.
 */
interface TypeScript {
  readonly version: string;
  readonly SyntaxKind: Readonly<Record<string, number>> & Readonly<Record<number, string>>;
  readonly ScriptTarget: { readonly ESNext: number };
  convertCompilerOptionsFromJson(options: object, directory: string): { readonly options: object };
  createCompilerHost(options: object): Host;
  createProgram(roots: readonly string[], options: object, host: Host): Program;
  createSourceFile(name: string, text: string, target: number): Node;
  forEachChild(node: Node, visit: (child: Node) => void): void;
  flattenDiagnosticMessageText(text: unknown, newLine: string): string;
}

interface Node {
  readonly kind: number;
}

interface SourceFile extends Node {
  readonly fileName: string;
}

interface Host {
  getCurrentDirectory: () => string;
  getSourceFile: (
    file: string,
    how: number | { readonly impliedNodeFormat?: number },
    ...rest: readonly unknown[]
  ) => SourceFile | undefined;
}

interface Diagnostic {
  readonly file?: SourceFile;
  readonly messageText: unknown;
}

interface Program {
  getSourceFiles(): readonly SourceFile[];
  getSyntacticDiagnostics(file: SourceFile): readonly Diagnostic[];
  getSemanticDiagnostics(file: SourceFile): readonly Diagnostic[];
}

/** The options for compiling a program, named like `compilerOptions` in a tsconfig. */
export interface Setup {
  readonly module: string;
  readonly moduleResolution: string;
  readonly lib?: readonly string[];
  readonly types?: readonly string[];
}

/** Keeps files that TypeScript has read for later programs: most programs read the same files. */
export class TypeChecker {
  readonly version: string;
  readonly #ts: TypeScript;
  readonly #directory: string;
  readonly #files = new Map<string, SourceFile | undefined>();

  /**
   * @param directory - of a project
   * @param name - of the TypeScript that is installed there
   */
  constructor(directory: string, name: string) {
    this.#directory = directory;
    this.#ts = createRequire(join(directory, 'package.json'))(name) as TypeScript;
    this.version = this.#ts.version;
  }

  /**
   * Compiles files of the project, with all declarations that they import.
   *
   * @returns the errors in these files, and in those of our packages
   */
  findings(files: readonly string[], { lib = ['es2020'], types = ['node'], ...setup }: Setup): string[] {
    const { options } = this.#ts.convertCompilerOptionsFromJson(
      { ...setup, lib, types, target: 'es2018', strict: true, noEmit: true, esModuleInterop: true },
      this.#directory,
    );
    const host = this.#ts.createCompilerHost(options);
    host.getCurrentDirectory = () => this.#directory;
    const read = host.getSourceFile.bind(host);
    host.getSourceFile = (file, how, ...rest) => {
      const key = `${file} ${typeof how === 'object' ? how.impliedNodeFormat : 'any'}`;
      if (!this.#files.has(key)) this.#files.set(key, read(file, how, ...rest));
      return this.#files.get(key);
    };
    const roots = files.map((file) => join(this.#directory, file));
    const program = this.#ts.createProgram(roots, options, host);
    const ours = program
      .getSourceFiles()
      .filter(({ fileName }) => roots.includes(fileName) || fileName.includes('/node_modules/@fanfare/'));
    const diagnostics = ours.flatMap((file) =>
      program.getSyntacticDiagnostics(file).concat(program.getSemanticDiagnostics(file)),
    );
    return diagnostics.map(({ file, messageText }) => {
      const text = this.#ts.flattenDiagnosticMessageText(messageText, ' ');
      return `${file?.fileName.slice(this.#directory.length)}: ${text}`;
    });
  }

  /** The syntax in a script that is newer than ECMAScript 2019. */
  newerSyntax(text: string): string[] {
    const { SyntaxKind, ScriptTarget } = this.#ts;
    const found: string[] = [];
    const visit = (node: Node): void => {
      const name = SyntaxKind[node.kind] ?? '';
      if (newerThan2019.has(name)) found.push(name);
      this.#ts.forEachChild(node, visit);
    };
    visit(this.#ts.createSourceFile('script.js', text, ScriptTarget.ESNext));
    return found;
  }
}

const newerThan2019 = new Set([
  'PrivateIdentifier',
  'QuestionDotToken',
  'QuestionQuestionToken',
  'QuestionQuestionEqualsToken',
  'PropertyDeclaration',
  'BigIntLiteral',
]);
