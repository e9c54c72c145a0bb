"""What was measured on the public Chicago Taxi Trips sample: shares, quantiles and places, for the generator."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

FIRST_START = np.datetime64("2013-01-01T00:00", "m")
LAST_START = np.datetime64("2016-12-30T16:45", "m")
START_STEP = np.timedelta64(15, "m")

# Relative numbers of trips.
YEARS = {2013: 2925, 2014: 3430, 2015: 3090, 2016: 555}
MONTHS = (719, 765, 850, 862, 874, 868, 837, 872, 811, 902, 810, 831)
"""January first."""
WEEKDAYS = (1304, 1298, 1295, 1344, 1467, 1668, 1623)
"""Sunday first: `trip_start_day` 1 is a Sunday."""
HOURS = (
    *(401, 363, 279, 195, 131, 95, 129, 201, 353, 443, 458, 413),
    *(497, 465, 491, 481, 509, 553, 627, 673, 644, 559, 558, 483),
)
PAYMENTS = {
    "Cash": 9909,
    "Credit Card": 4975,
    "No Charge": 81,
    "Unknown": 29,
    "Dispute": 4,
    "Pcard": 3,
    "Prcard": 1,
}


class Company(NamedTuple):
    """A taxi company: its trips (of 15,000) and the share of them whose meter sent no distance."""

    name: str | None
    trips: float
    zero_miles: float


SMALL_COMPANIES = (
    "0694 - 59280 Chinesco Trans Inc",
    "1085 - 72312 N and W Cab Co",
    "2092 - 61288 Sbeih company",
    "2192 - 73487 Zeymane Corp",
    "2809 - 95474 C & D Cab Co Inc.",
    "3011 - 66308 JBL Cab Inc.",
    "3094 - 24059 G.L.B. Cab Co",
    "3201 - C&D Cab Co Inc",
    "3253 - 91138 Gaither Cab Co.",
    "3319 - CD Cab Co",
    "3385 - 23210 Eman Cab",
    "3623 - 72222 Arrington Enterprises",
    "4197 - 41842 Royal Star",
    "5074 - 54002 Ahzmi Inc",
    "5129 - 87128",
    "5129 - 98755 Mengisti Taxi",
    "5724 - KYVI Cab Inc",
    "585 - 88805 Valley Cab Co",
    "5997 - 65283 AW Services Inc.",
    "6488 - 83287 Zuha Taxi",
    "6574 - Babylon Express Inc.",
    "C & D Cab Co Inc",
)
COMPANIES = (
    Company(None, 5140, 0.0),
    Company("Taxi Affiliation Services", 5176, 0.42),
    Company("Dispatch Taxi Affiliation", 1636, 0.25),
    Company("Blue Ribbon Taxi Association Inc.", 1090, 0.76),
    Company("Choice Taxi Association", 872, 0.27),
    Company("Northwest Management LLC", 551, 0.29),
    Company("KOAM Taxi Association", 246, 0.02),
    Company("Top Cab Affiliation", 132, 0.07),
    Company("Chicago Elite Cab Corp. (Chicago Carriag", 26, 1.0),
    Company("Chicago Medallion Leasing INC", 22, 0.09),
    Company("Chicago Medallion Management", 17, 0.06),
    Company("Chicago Elite Cab Corp.", 9, 1.0),
    *(Company(name, 85 / len(SMALL_COMPANIES), 0.0) for name in SMALL_COMPANIES),
)


class Area(NamedTuple):
    """A community area: its pickups and dropoffs (of 15,000), one place in it (degrees) and its census tract.

    `with_tract` is the share of the dropoffs whose tract is told.
    """

    number: int
    pickups: int
    dropoffs: int
    latitude: str
    longitude: str
    tract: int | None
    with_tract: float


AREAS = (
    Area(1, 71, 104, "42.006278861", "-87.66768361", 17031010600, 0.1),
    Area(2, 57, 70, "42.001315924", "-87.693637494", 17031020602, 0.07),
    Area(3, 269, 301, "41.958154876", "-87.653021789", 17031032100, 0.41),
    Area(4, 57, 116, "41.966834067", "-87.684018371", 17031040600, 0.19),
    Area(5, 111, 157, "41.957735565", "-87.683718102", 17031050200, 0.2),
    Area(6, 1180, 1107, "41.942691844", "-87.651770507", 17031062100, 0.56),
    Area(7, 893, 1036, "41.914616286", "-87.631717366", 17031071500, 0.71),
    Area(8, 4908, 4307, "41.892507781", "-87.626214906", 17031081500, 0.9),
    Area(9, 1, 4, "42.007612593", "-87.813781034", None, 0),
    Area(10, 12, 18, "41.985015101", "-87.804532006", None, 0),
    Area(11, 12, 17, "41.985916382", "-87.768970241", 17031110100, 0.12),
    Area(12, 8, 12, "41.993930128", "-87.758353588", None, 0),
    Area(13, 7, 17, "41.983636307", "-87.723583185", None, 0),
    Area(14, 49, 55, "41.970244982", "-87.713435328", 17031140200, 0.02),
    Area(15, 7, 18, "41.942488155", "-87.747154322", 17031151002, 0.17),
    Area(16, 56, 90, "41.957360691", "-87.722822251", 17031160400, 0.09),
    Area(17, 3, 7, "41.94651142", "-87.806020002", None, 0),
    Area(18, 1, 1, "41.929297368", "-87.798032181", None, 0),
    Area(19, 7, 16, "41.927260956", "-87.765501609", None, 0),
    Area(20, 1, 8, "41.924347077", "-87.734739754", None, 0),
    Area(21, 51, 71, "41.942859303", "-87.717503858", 17031831100, 0.28),
    Area(22, 175, 293, "41.91922505", "-87.671445766", 17031832300, 0.37),
    Area(23, 7, 23, "41.900069603", "-87.720918238", None, 0),
    Area(24, 598, 753, "41.89830587", "-87.653613982", 17031842300, 0.55),
    Area(25, 9, 10, "41.890608853", "-87.756046711", None, 0),
    Area(26, 1, 3, "41.878594358", "-87.730232428", None, 0),
    Area(27, 3, 5, "41.878914496", "-87.70589713", None, 0),
    Area(28, 1284, 1450, "41.879255084", "-87.642648998", 17031281900, 0.83),
    Area(29, 5, 7, "41.860762262", "-87.700691903", 17031843100, 0.14),
    Area(30, 4, 6, "41.839086906", "-87.714003807", None, 0),
    Area(31, 17, 52, "41.856333217", "-87.659564239", 17031310600, 0.15),
    Area(32, 3303, 2736, "41.880994471", "-87.632746489", 17031839100, 0.93),
    Area(33, 309, 411, "41.859349715", "-87.617358006", 17031330100, 0.86),
    Area(34, 20, 48, "41.851017824", "-87.635091856", 17031841100, 0.5),
    Area(35, 21, 35, "41.84201118", "-87.622036461", 17031839200, 0.17),
    Area(36, 2, 4, "41.82371281", "-87.602350437", None, 0),
    Area(37, 0, 3, "41.80908443", "-87.632424524", None, 0),
    Area(38, 1, 8, "41.812948939", "-87.617859676", None, 0),
    Area(39, 23, 23, "41.805911699", "-87.587479258", 17031390700, 0.09),
    Area(40, 1, 4, "41.792357223", "-87.61793138", None, 0),
    Area(41, 71, 84, "41.790506261", "-87.583143717", 17031411000, 0.23),
    Area(42, 8, 14, "41.77887686", "-87.594925439", None, 0),
    Area(43, 7, 12, "41.761577908", "-87.572781987", None, 0),
    Area(44, 2, 3, "41.740205756", "-87.615969523", None, 0),
    Area(45, 1, 0, "41.744199535", "-87.586348318", None, 0),
    Area(46, 0, 6, "41.741242728", "-87.551428197", None, 0),
    Area(48, 0, 1, "41.729676423", "-87.572717134", None, 0),
    Area(49, 1, 0, "41.706587882", "-87.623366512", None, 0),
    Area(50, 0, 1, "41.706125752", "-87.598255838", None, 0),
    Area(51, 0, 2, "41.690633347", "-87.570058269", None, 0),
    Area(55, 0, 1, "41.663670652", "-87.540935513", None, 0),
    Area(56, 255, 181, "41.785998518", "-87.750934289", 17031980100, 0.78),
    Area(57, 1, 0, "41.810879008", "-87.726363325", None, 0),
    Area(58, 2, 7, "41.817366208", "-87.698860797", None, 0),
    Area(59, 10, 13, "41.833517886", "-87.681355829", 17031840300, 0.77),
    Area(60, 7, 22, "41.827087912", "-87.648626816", 17031839900, 0.05),
    Area(61, 1, 2, "41.80901825", "-87.659166599", None, 0),
    Area(63, 1, 3, "41.795430631", "-87.696435232", None, 0),
    Area(64, 1, 4, "41.779582888", "-87.768510849", None, 0),
    Area(65, 2, 3, "41.769778059", "-87.726929842", None, 0),
    Area(66, 1, 2, "41.771848515", "-87.695666342", None, 0),
    Area(67, 0, 2, "41.775928827", "-87.666596265", None, 0),
    Area(68, 2, 2, "41.777196255", "-87.642497527", None, 0),
    Area(69, 3, 4, "41.763246799", "-87.616134111", None, 0),
    Area(70, 0, 3, "41.745757713", "-87.708365704", None, 0),
    Area(71, 2, 1, "41.744205146", "-87.656305986", None, 0),
    Area(72, 0, 2, "41.713148612", "-87.675075312", None, 0),
    Area(73, 2, 2, "41.717493036", "-87.648895072", None, 0),
    Area(74, 1, 2, "41.694878966", "-87.713192497", None, 0),
    Area(75, 0, 2, "41.689729914", "-87.669054403", None, 0),
    Area(76, 895, 516, "41.97907082", "-87.903039661", 17031980000, 0.78),
    Area(77, 180, 192, "41.979912445", "-87.664188242", 17031030800, 0.19),
)

# Shares of all trips with each quirk.
NO_PLACES = 0.00013
"""Neither the pickup nor the dropoff has a place."""
NO_DROPOFF = 0.0321
NO_DROPOFF_AREA = 0.0016
"""The dropoff has coordinates and a tract, but no community area."""
PICKUP_TRACT = 0.00007
NEARER = 0.4
"""The dropoff is in the nearer of two areas drawn."""
TRACT_TOLD = 0.97
"""On top of the shares in AREAS, which `NEARER` tilts towards places with a tract."""
SAME_AREA = 0.06
"""The dropoff is in the pickup's area by intent; others get there by chance."""
NO_SECONDS = 0.0004
ZERO_SECONDS = 0.031
ZERO_MILES_OF_ZERO_SECONDS = 0.91
BASE_FARE_OF_ZERO_SECONDS = 0.45
ZERO_FARE = 0.0018
LOST_DECIMAL_POINT = 0.0006
"""The distance is ten times what it was."""
WHOLE_NUMBERS = 0.00007
"""Fare, distance and tip are written as the integer 0 instead of 0.0."""
ODD_CENTS = 0.06
"""The fare has an extra that is no multiple of 20 cents."""
FINE_MILES = 0.096
"""Share of the trips without a company whose distance has two decimals instead of one."""
TIPPED = {"Credit Card": 0.951, "Unknown": 0.28, "Cash": 0.0004}

# Values at these quantiles; linear between them.
QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0)
ROAD_PER_STRAIGHT = (0.5, 0.6, 0.75, 1.05, 1.25, 1.45, 2.0, 2.7, 4.0, 8.0)
STRAIGHT_MILES_WITHIN_AREA = (0.02, 0.06, 0.15, 0.36, 0.56, 0.85, 1.6, 2.8, 5.0, 9.0)
DURATION_FACTOR = (0.2, 0.38, 0.52, 0.76, 0.98, 1.25, 1.85, 2.6, 5.0, 12.0)
TIP_PER_FARE = (0.01, 0.06, 0.13, 0.2, 0.23, 0.28, 0.36, 0.5, 1.2, 2.5)

ROAD_MILES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 18.0, 40.0)
TYPICAL_SECONDS = (100.0, 250.0, 390.0, 640.0, 1000.0, 1450.0, 2050.0, 3600.0)
"""At these road miles."""

# The meter of those years: a flag pull, then 20 cents for each ninth of a mile or 36 seconds of waiting.
FLAG_CENTS = 325
STEP_CENTS = 20
STEPS_PER_MILE = 9
SECONDS_PER_STEP = 36
MOVING_SECONDS_PER_MILE = 90
WAITING_SHARE = 0.7

FLAT_TIPS_CENTS = {
    200: 331,
    300: 119,
    100: 93,
    500: 32,
    400: 32,
    150: 19,
    600: 9,
    1000: 6,
    250: 6,
    800: 6,
    700: 5,
}
"""Share, of 1,000 tips, of each round amount; the others are a fraction of the fare."""
FLAT_TIP_FARE_CENTS = 2000
"""Larger fares are tipped by a fraction alone."""

MILES_PER_DEGREE_NORTH = 69.0
MILES_PER_DEGREE_EAST = 51.4
"""At Chicago's latitude."""

MAX_HUNDREDTHS = 99_999
"""Largest fare or tip in cents, and distance in hundredths of a mile."""
