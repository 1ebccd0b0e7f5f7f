// Answers an event of version 2.0.
export const handler = async (event) => ({
  statusCode: 200,
  headers: { "Content-Type": "application/json" },
  cookies: ["seen=1; HttpOnly"],
  body: JSON.stringify({
    order: event.pathParameters.id,
    currency: event.stageVariables.currency,
    for: event.requestContext.authorizer.lambda.user,
  }),
});
