// The houses: what is open where, and the filter by house.
import type { Counts, Hotel, Summary } from './types';

interface Props {
  hotel: Hotel;
  summary: Summary | undefined;
  chosen: string;
  onChoose: (property: string) => void;
}

const nothing: Counts = { open: 0, doing: 0, done: 0, urgent: 0 };

function House({ name, place, counts, chosen, onChoose }: { name: string; place: string; counts: Counts; chosen: boolean; onChoose: () => void }) {
  return (
    <button type="button" className="house" aria-pressed={chosen} onClick={onChoose}>
      <span className="name">{name}</span>
      <span className="city">{place}</span>
      <span className="counts">
        <span>
          <b>{counts.open + counts.doing}</b> to do
        </span>
        {counts.urgent > 0 && <span className="hot">{counts.urgent} urgent</span>}
      </span>
    </button>
  );
}

export function Houses({ hotel, summary, chosen, onChoose }: Props) {
  const countsOf = (id: string): Counts => summary?.properties.find((one) => one.propertyId === id) ?? nothing;
  return (
    <div className="houses" role="group" aria-label="Houses">
      {hotel.properties.length > 1 && (
        <House
          name="All houses"
          place={`${hotel.properties.length} of them`}
          counts={summary ?? nothing}
          chosen={chosen === ''}
          onChoose={() => onChoose('')}
        />
      )}
      {hotel.properties.map((one) => (
        <House
          key={one.id}
          name={one.name}
          place={one.city}
          counts={countsOf(one.id)}
          chosen={chosen === one.id || hotel.properties.length === 1}
          onChoose={() => onChoose(one.id)}
        />
      ))}
    </div>
  );
}
