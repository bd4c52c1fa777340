import type { TopicDetails } from '@fanfare/protocol';

/** The rule that decides for a topic, as it would stand in the rules file. */
export function RulePanel({ rule }: { readonly rule: TopicDetails['rule'] }) {
  return (
    <>
      <p className="quiet">
        This rule decides what is kept of the topic and what may be published to it, as it would stand in the
        rules file of the server.
      </p>
      <pre className="exact">{JSON.stringify(rule, null, 2)}</pre>
    </>
  );
}
