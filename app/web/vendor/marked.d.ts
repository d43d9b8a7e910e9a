// What the page uses of it. (Its tokens have a type for each kind; the page reads them as they come.)
export class Marked {
  constructor(options: object);
  lexer(text: string): any[];
}
