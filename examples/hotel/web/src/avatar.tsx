// A person as two letters on a colour of their own.
const hues = [172, 22, 262, 205, 340, 95];

const hue = (id: string): number => hues[[...id].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % hues.length] ?? 172;

export function Avatar({ id, name, size = 'm' }: { id: string; name: string; size?: 's' | 'm' | 'l' }) {
  const letters = name.split(' ').map((word) => word[0]).join('').slice(0, 2);
  return (
    <span className={`avatar ${size}`} style={{ '--hue': hue(id) } as React.CSSProperties} aria-hidden="true">
      {letters}
    </span>
  );
}
