import type { TopicDetails } from '@fanfare/protocol';

/** The rule that applies to a topic, written as in a rules file. */
export function RulePanel({ rule }: { readonly rule: TopicDetails['rule'] }) {
  return (
    <>
      <p className="quiet">
        This rule decides which messages the topic keeps, and who may publish and read. It is shown as it is
        written in the settings of the server.
      </p>
      <pre className="exact">{JSON.stringify(rule, null, 2)}</pre>
    </>
  );
}
