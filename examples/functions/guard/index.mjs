// Answers a question of version 2.0: whoever has a token is called as it.
export const handler = async (event) => {
  const [token] = event.identitySource;
  const user = token.replace(/^Bearer /, "");
  return { isAuthorized: user === "ann", context: { user } };
};
