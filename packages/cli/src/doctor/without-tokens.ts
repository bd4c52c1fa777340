/** Removes tokens from a text: that of the user, in each form in which a server can repeat it, and others. */
export function withoutTokens(text: string, token: string | undefined): string {
  const forms =
    token === undefined ? [] : [token, encodeURIComponent(token), JSON.stringify(token).slice(1, -1)];
  const own = forms.reduce((rest, form) => rest.replaceAll(form, '[token]'), text);
  // JSON Web Tokens begin with the base64 of `{"`.
  return own.replace(/\beyJ[\w-]+(?:\.[\w-]*){1,2}/g, '[token]');
}
