// A person as two letters on a colour of their own.
// By the golden angle, so that similar names lie far apart.
const hue = (id: string): number => ([...id].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) * 137.5) % 360;

export function Avatar({ id, name, size = 'm' }: { id: string; name: string; size?: 's' | 'm' | 'l' }) {
  const letters = name.split(' ').map((word) => word[0]).join('').slice(0, 2);
  return (
    <span className={`avatar ${size}`} style={{ '--hue': hue(id) } as React.CSSProperties} aria-hidden="true">
      {letters}
    </span>
  );
}
