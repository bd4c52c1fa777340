import { ref } from './json-schema.ts';
import { limit } from './message-operations.ts';
import { changeErrors, inJson, readErrors, type Operation, type Parameter } from './operation.ts';
import { text, topic as name } from './value-schemas.ts';

export const topic: Parameter = {
  name: 'topic',
  in: 'name',
  description: 'The name of the topic. In a path, write `/` as `%2F`.',
  schema: name,
  example: 'orders',
};

/** @param example - the cursor after a certain entry */
export function cursor(example: string): Parameter {
  return {
    name: 'cursor',
    in: 'query',
    description: 'Continues a list: `cursor` of the response before. Opaque.',
    schema: text,
    example,
  };
}

const topicPaths = ['/topic', '/topics/{topic}'];

export const topicOperations: readonly Operation[] = [
  {
    id: 'listTopics',
    method: 'get',
    paths: ['/topics'],
    tag: 'Topics',
    summary: 'List the topics',
    description: 'The list has only topics that the client may read (PROTOCOL.md 5.2).',
    audience: 'clients',
    parameters: [
      {
        name: 'prefix',
        in: 'query',
        description: 'Only topics whose names begin with this text.',
        schema: text,
        example: 'ord',
      },
      limit,
      cursor('YQ'),
    ],
    answers: { 200: { description: 'A page of topics.', content: inJson(ref('TopicPage')) } },
    errors: readErrors,
  },
  {
    id: 'getTopic',
    method: 'get',
    paths: topicPaths,
    tag: 'Topics',
    summary: 'Get a topic and its rule',
    description: 'PROTOCOL.md 5.2 explains the fields.',
    audience: 'clients',
    parameters: [topic],
    answers: { 200: { description: 'The topic.', content: inJson(ref('TopicDetails')) } },
    errors: ['topic_name_invalid', 'topic_not_found', ...readErrors],
  },
  {
    id: 'declareTopic',
    method: 'put',
    paths: topicPaths,
    tag: 'Topics',
    summary: 'Declare a topic',
    description: 'The topic exists until it is deleted. The server ignores the body of the request.',
    audience: 'clients',
    parameters: [topic],
    answers: {
      200: { description: 'The topic existed.', content: inJson(ref('DeclaredTopic')) },
      201: { description: 'The topic is new.', content: inJson(ref('DeclaredTopic')) },
    },
    errors: ['topic_name_invalid', ...changeErrors, 'log_damaged'],
  },
  {
    id: 'deleteTopic',
    method: 'delete',
    paths: topicPaths,
    tag: 'Topics',
    summary: 'Delete a topic and its messages',
    description: 'Subscribers stay subscribed. Needs `admin`.',
    audience: 'admins',
    parameters: [topic],
    answers: { 204: { description: 'The topic is deleted.' } },
    errors: ['topic_name_invalid', 'topic_not_found', ...changeErrors, 'log_damaged'],
  },
];
