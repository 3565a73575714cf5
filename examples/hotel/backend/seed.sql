-- A hotel group with three houses, and a stranger's, who must see none of it.
INSERT INTO org VALUES ('harbour', 'Harbour Hotels'), ('pinewood', 'Pinewood Lodge');

INSERT INTO property VALUES
    ('p-harbour', 'harbour', 'Harbour House', 'Lisbon', 1),
    ('p-canal', 'harbour', 'Canal 21', 'Amsterdam', 2),
    ('p-alpine', 'harbour', 'Alpenhof', 'Innsbruck', 3),
    ('p-pine', 'pinewood', 'Pinewood Lodge', 'Tampere', 1);

INSERT INTO staff VALUES
    ('anna', 'harbour', 'Anna Keller', 'Group manager', NULL, 1),
    ('bruno', 'harbour', 'Bruno Costa', 'Housekeeping', '["p-harbour"]', 2),
    ('chiara', 'harbour', 'Chiara Rossi', 'Front desk', '["p-canal","p-harbour"]', 3),
    ('emeka', 'harbour', 'Emeka Obi', 'Maintenance', NULL, 4),
    ('lena', 'harbour', 'Lena Moser', 'Concierge', '["p-alpine"]', 5),
    ('otso', 'pinewood', 'Otso Laine', 'Owner', NULL, 6);

WITH t(id, property, title, room, notes, status, priority, assignee, who, minutes) AS (VALUES
    ('t-seed-01', 'p-harbour', 'Late check-out, turn the room by 15:00', '412', 'Next guests arrive at 16:00.', 'doing', 'urgent', 'bruno', 'chiara', 34),
    ('t-seed-02', 'p-harbour', 'Shower runs cold', '207', 'Guest is out until six.', 'open', 'urgent', 'emeka', 'chiara', 12),
    ('t-seed-03', 'p-harbour', 'Extra pillows, one of them feather-free', '318', '', 'open', 'normal', 'bruno', 'anna', 51),
    ('t-seed-04', 'p-harbour', 'Restock the minibar on the fourth floor', '', '', 'done', 'low', 'bruno', 'anna', 190),
    ('t-seed-05', 'p-canal', 'Birthday: flowers and a card before 18:00', '21', 'Name on the card: Ms Okafor.', 'open', 'normal', 'chiara', 'anna', 25),
    ('t-seed-06', 'p-canal', 'Lift makes a noise between 2 and 3', '', 'The service firm is called.', 'doing', 'urgent', 'emeka', 'anna', 76),
    ('t-seed-07', 'p-canal', 'Bicycle for tomorrow, 9:00, child seat', '08', '', 'open', 'low', NULL, 'chiara', 140),
    ('t-seed-08', 'p-canal', 'Lost scarf found in the breakfast room', '', 'Blue, at the desk in drawer 3.', 'done', 'low', 'chiara', 'chiara', 260),
    ('t-seed-09', 'p-alpine', 'Sauna shows error E4', '', '', 'open', 'urgent', 'emeka', 'lena', 8),
    ('t-seed-10', 'p-alpine', 'Cot for a baby', '103', '', 'doing', 'normal', 'lena', 'lena', 63),
    ('t-seed-11', 'p-alpine', 'Taxi to the station at 6:40', '211', 'Two large suitcases, skis.', 'open', 'normal', 'lena', 'anna', 95),
    ('t-seed-12', 'p-pine', 'Sweep the jetty', '', '', 'open', 'normal', 'otso', 'otso', 45))
INSERT INTO task (id, org_id, property_id, title, room, notes, status, priority, assignee, created_by, created_ms, updated_by, updated_ms)
SELECT t.id, p.org_id, property, title, room, notes, status, priority, assignee,
    who, (unixepoch() - minutes * 60) * 1000, who, (unixepoch() - minutes * 60) * 1000
FROM t JOIN property p ON p.id = property;
