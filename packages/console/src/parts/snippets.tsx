import { useId, useState } from 'react';
import { snippetsOf, type Example, type Snippet } from '../snippets.ts';
import { CopyButton } from './copy-button.tsx';
import { Tabs } from './tabs.tsx';

/** Code to copy, in several languages, that does the same as the page. */
export function Snippets({ example }: { readonly example: Example }) {
  const snippets = snippetsOf(example);
  const [language, setLanguage] = useState<Snippet['language']>('curl');
  const shown = snippets.find((one) => one.language === language) ?? snippets[0];
  const id = useId();
  return (
    <section className="card wide" aria-labelledby={id}>
      <div className="row spread">
        <h2 id={id}>The same from a program</h2>
        <Tabs
          label="Language"
          tabs={snippets.map((one) => ({ id: one.language, label: one.language }))}
          chosen={language}
          onChoose={setLanguage}
          panel={`${id}-panel`}
        />
      </div>
      {shown && (
        <div id={`${id}-panel`} role="tabpanel" aria-label={language}>
          {shown.install !== undefined && (
            <p className="quiet">
              Install first: <code>{shown.install}</code>
            </p>
          )}
          <div className="columns">
            <Code title="Subscribe" language={language} text={shown.subscribe} />
            <Code title="Publish" language={language} text={shown.publish} />
          </div>
          {example.withToken && (
            <p className="quiet">
              Set the environment variable <code>TOKEN</code> to your token.
            </p>
          )}
        </div>
      )}
    </section>
  );
}

interface CodeProps {
  readonly title: string;
  readonly language: string;
  readonly text: string;
}

function Code({ title, language, text }: CodeProps) {
  return (
    <figure className="code">
      <figcaption>
        {title} <CopyButton text={text} label={`Copy: ${title} with ${language}`} />
      </figcaption>
      <pre tabIndex={0} role="region" aria-label={`${title} with ${language}`}>
        {text}
      </pre>
    </figure>
  );
}
