import { graphql } from "relay-runtime";

export const query = graphql`
  query pageItemsQuery($first: Int!, $after: String, $filter: ItemFilter) {
    ...page_items @arguments(first: $first, after: $after, filter: $filter)
  }
`;

export const items = graphql`
  fragment page_items on Query
  @argumentDefinitions(first: { type: "Int!" }, after: { type: "String" }, filter: { type: "ItemFilter" })
  @refetchable(queryName: "pageMoreItemsQuery") {
    items(first: $first, after: $after, filter: $filter) @connection(key: "page_items") {
      edges {
        node {
          ...page_item
        }
      }
      pageInfo {
        endCursor
        hasNextPage
      }
    }
  }
`;

export const item = graphql`
  fragment page_item on Item @refetchable(queryName: "pageOneItemQuery") {
    title
    status
    dueAt
  }
`;

export const create = graphql`
  mutation pageCreateMutation($input: CreateItemInput!) {
    createItem(input: $input) {
      item {
        ...page_item
      }
    }
  }
`;
